"""The state of pairing on disk, shared by `web pair` and the service: one small file beside the spool.

It is written when somebody pairs or tries a code, and never otherwise. Each change is made under a lock, so
that two at a time do not undo each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bridge.clock.kernel_clock import boot_id, boottime_ns
from bridge.commands.web.access import Access, parse
from bridge.files import acting_as_owner, open_regular, read_regular, replace_regular
from bridge.spool.locks import beside

T = TypeVar("T")
_LARGEST_BYTES = 1_000_000
_PRIVATE = 0o600


def now_s() -> float:
    """Return the seconds since boot."""
    return boottime_ns() / 1e9


@dataclass(frozen=True, slots=True)
class AccessStore:
    """The state of pairing of a site.

    Attributes:
        spool: the spool's database; the file lies beside it.
    """

    spool: Path

    def path(self, suffix: str) -> Path:
        """Return the path of a file of the page beside the spool."""
        return beside(self.spool, f".web{suffix}")

    def read(self) -> Access:
        """Return the state as it is now; nobody has access if it cannot be read."""
        try:
            document = json.loads(read_regular(self.path(".json"), _LARGEST_BYTES))
        except (OSError, ValueError):
            return Access()
        is_this_boot = isinstance(document, dict) and document.get("boot_id") == boot_id()
        return parse(document) if is_this_boot else Access()

    def change(self, work: Callable[[Access], T]) -> T:
        """Change the state under its lock, and return what `work` returns.

        Raises:
            OSError: the file cannot be written.
        """
        with acting_as_owner(self.spool.parent), self._locked():
            access = self.read()
            result = work(access)
            text = json.dumps({**access.document(), "boot_id": boot_id()})
            replace_regular(self.path(".json"), text.encode(), mode=_PRIVATE)
            return result

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = open_regular(self.path(".lock"), os.O_RDWR | os.O_CREAT, _PRIVATE)
        try:
            for _attempt in range(50):  # 5 s; who holds it needs milliseconds
                with suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(0.1)
            else:
                raise TimeoutError("somebody else is pairing: try again")
            yield
        finally:
            os.close(descriptor)
