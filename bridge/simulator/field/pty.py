"""A simulated serial adapter: a pseudo terminal, and a path that names it while it is plugged in."""

from __future__ import annotations

import os
import re
import tempfile
import termios
import tty
from contextlib import suppress
from pathlib import Path
from typing import Final

_OUTPUT_SPEED: Final = 5  # its place among the attributes of a terminal
_SPEEDS: Final = {
    getattr(termios, name): int(name[1:]) for name in dir(termios) if re.fullmatch(r"B\d+", name)
}


class Pty:
    """The far end of a serial line.

    The device at `path` can be opened like any serial device. Unplugged, the path is gone and a client that
    has it open sees a hang-up; plugged in again, the path names a new device, as with a USB adapter.
    """

    def __init__(self, link: Path | None = None) -> None:
        """Make an adapter that is not plugged in.

        Args:
            link: where the symbolic link to it shall stand; without it, in a directory of its own.
        """
        self._folder = None if link else tempfile.TemporaryDirectory(prefix="serial-bridge-pty-")
        self.path = link or Path(self._folder.name, "line") if self._folder else Path(link or "")
        self._near: int | None = None  # the end that clients open; kept open, so that they may come and go
        self.fd: int | None = None

    def plug(self) -> None:
        """Plug the adapter in; do nothing if it is plugged in."""
        if self.fd is not None:
            return
        self.fd, self._near = os.openpty()
        os.set_blocking(self.fd, False)
        tty.setraw(self._near)
        draft = self.path.with_name(f".{self.path.name}.new")
        with suppress(FileNotFoundError):
            draft.unlink()
        draft.symlink_to(os.ttyname(self._near))
        draft.replace(self.path)

    def unplug(self) -> None:
        """Pull the adapter out; do nothing if it is not plugged in."""
        if self.fd is None or self._near is None:
            return
        self.path.unlink(missing_ok=True)
        os.close(self.fd)
        os.close(self._near)
        self.fd = self._near = None

    def close(self) -> None:
        """Pull the adapter out for good, and remove its folder."""
        self.unplug()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def baudrate(self) -> int | None:
        """Return the speed that the client has set, in baud; None if it is no usual one."""
        if self.fd is None:
            return None
        with suppress(termios.error):
            return _SPEEDS.get(termios.tcgetattr(self.fd)[_OUTPUT_SPEED])
        return None

    def read(self) -> bytes:
        """Return the octets that came since the last call; may be empty."""
        assert self.fd is not None
        try:
            return os.read(self.fd, 4096)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        """Send octets; those for which a client that does not read leaves no room are lost, as on a UART."""
        if self.fd is not None:
            with suppress(BlockingIOError):
                os.write(self.fd, data)
