"""The keys with which a meter's telegrams are decrypted, as the grid operator or the maker tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEY_LENGTH: Final = 16  # octets: AES-128


@dataclass(frozen=True, slots=True, repr=False)
class MeterKey:
    """The keys of one meter; no repr and no message shows them.

    Attributes:
        encryption: the key, 16 octets (DLMS: global unicast encryption key, GUEK; M-Bus: the master key).
        authentication: the second key of DLMS (GAK), with which a telegram's tag is checked; None if it was
            not told.
    """

    encryption: bytes
    authentication: bytes | None = None

    def __repr__(self) -> str:
        return "MeterKey(…)"


def parse_key(text: str) -> bytes:
    """Read a key of 32 hexadecimal digits; blanks, colons and hyphens between them are left out.

    Raises:
        ValueError: it is none; the message does not show it.
    """
    digits = "".join(text.split()).replace(":", "").replace("-", "")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        raise ValueError("a key is hexadecimal digits, 0–9 and a–f, as the grid operator told it") from None
    if len(key) != KEY_LENGTH:
        raise ValueError(f"a key has {2 * KEY_LENGTH} hexadecimal digits, this one has {len(digits)}")
    return key
