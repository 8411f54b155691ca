"""The response codes of CoAP: a class and a detail, written "4.01" (RFC 7252 §5.9 and §12.1.2).

On the ground floor, because the server's contract judges codes in processes that load no CoAP.
"""

from __future__ import annotations

import re
from typing import Final, Self

_WRITTEN = re.compile(r"[0-7]\.(?:[0-2]\d|3[01])")


class ResponseCode(str):
    """A code as it is written: "2.01"; so it stands in messages, in the spool and in JSON.

    Raises:
        ValueError: a text that is no code.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Return the code that `text` is."""
        if not _WRITTEN.fullmatch(text):
            raise ValueError(f'"{text}" is not a CoAP code such as "2.01"')
        return super().__new__(cls, text)

    @classmethod
    def from_octet(cls, octet: int) -> Self:
        """Return the code that an octet of a message means: 0x41 is "2.01" (RFC 7252 §3)."""
        return cls(f"{octet >> 5}.{octet & 0x1F:02}")

    @property
    def code_class(self) -> int:
        """Return the class: 2 for success, 4 for an error of the client, 5 for one of the server."""
        return int(self[0])

    @property
    def detail(self) -> int:
        """Return the detail within the class, 0–31."""
        return int(self[2:])

    @property
    def is_success(self) -> bool:
        """Return whether the server did what it was asked for."""
        return self.code_class == 2

    @property
    def is_server_error(self) -> bool:
        """Return whether the server says that it failed itself."""
        return self.code_class == 5


CONTENT: Final = ResponseCode("2.05")
UNAUTHORIZED: Final = ResponseCode("4.01")
BAD_OPTION: Final = ResponseCode("4.02")
FORBIDDEN: Final = ResponseCode("4.03")
NOT_FOUND: Final = ResponseCode("4.04")
METHOD_NOT_ALLOWED: Final = ResponseCode("4.05")
REQUEST_ENTITY_TOO_LARGE: Final = ResponseCode("4.13")
UNSUPPORTED_CONTENT_FORMAT: Final = ResponseCode("4.15")
TOO_MANY_REQUESTS: Final = ResponseCode("4.29")  # RFC 8516
