"""Imports of libraries without what they can do without, and no service needs.

asyncio imports ssl for TLS streams, which nothing here opens (DTLS is pyOpenSSL's); hashlib and hmac import
OpenSSL's digests besides their own. They ask whether there is such a module and work without it. Construct
brings a debugger and a pickler for features that nothing here uses; it does not ask, so those are there, and
are loaded when one of them is used. Together that is 5.4 MB of a reader, 2.2 of them its own, and there is a
reader for each bus.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


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


def postpone(*names: str) -> None:
    """Let these modules, unless imported before, be loaded when something of them is first used.

    What stands for such a module until then is an empty one that knows where to ask (PEP 562).
    """
    for name in names:
        if name not in sys.modules:
            sys.modules[name] = _postponed(name)


def _postponed(name: str) -> ModuleType:
    module = ModuleType(name)

    def load(attribute: str) -> object:
        if sys.modules.get(name) is module:
            del sys.modules[name]
        whole = import_module(name)
        vars(module).update(vars(whole))
        return getattr(whole, attribute)

    vars(module)["__getattr__"] = load
    return module
