"""Imports of libraries without what they can do without, and no service needs.

asyncio imports ssl for TLS streams, which nothing here opens (DTLS is pyOpenSSL's); hashlib and hmac import
OpenSSL's digests besides their own. They ask whether there is such a module and work without it. Together
that is 4.5 MB of a reader, 1.3 of them its own, and there is a reader for each bus.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Let modules that are imported in the block find that these, unless imported before, are not installed.

    A module whose entry is None is one that cannot be found (The import system, §5.3.1 "The module cache").
    After the block they can be imported as ever.
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is what the import system asks for
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
