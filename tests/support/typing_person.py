"""A person at a terminal of 80 columns and 24 rows: what is shown is read, and answers are typed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

COLUMNS, ROWS = 80, 24


class Person:
    """Runs `serial-bridge` on a pseudo terminal, from `with` to its end.

    Attributes:
        typed: every line that was typed besides Enter.
    """

    def __init__(self, *arguments: str, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.typed: list[str] = []
        self._output = b""
        self._read_to = 0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bridge", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**os.environ, "TERM": "xterm", **(environment or {})},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        os.close(self._master)

    @property
    def text(self) -> str:
        """Return what was shown so far, as it stands on the terminal."""
        return "\n".join(shown(self._output.decode(errors="replace")))

    def sees(self, text: str, within_s: float = 30.0) -> None:
        """Wait until a text is shown after the last one that was waited for."""
        deadline = time.monotonic() + within_s
        while (place := self._output.find(text.encode(), self._read_to)) < 0:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f'"{text}" is not shown within {within_s} s; what is:\n{self.text}')
        self._read_to = place + len(text.encode())

    def types(self, line: str = "") -> None:
        """Type a line and Enter; without a line, Enter alone."""
        self._wait_for_question()
        if line:
            self.typed.append(line)
        os.write(self._master, line.encode() + b"\r")

    def interrupts(self) -> None:
        """Press Ctrl-C when the command waits for a key: just before, Python's input() would not see it."""
        self._wait_for_question()
        os.write(self._master, b"\x03")

    def ends(self, within_s: float = 30.0) -> int:
        """Wait for the end of the command and return its exit status."""
        deadline = time.monotonic() + within_s
        while self._read(deadline - time.monotonic()):
            pass
        return self._process.wait(max(0.1, deadline - time.monotonic()))

    def _wait_for_question(self) -> None:
        """Return once the command waits for a key: what is typed before it asks for a secret is forgotten.

        Behind its prompt it computes, or has the disk bring a page of memory; it sleeps for the key alone.
        """
        state_of = Path(f"/proc/{self._process.pid}/stat")
        while (state := state_of.read_text().rpartition(") ")[2][0]) != "S":
            assert state != "Z", f"it has ended; what is shown is:\n{self.text}"
            time.sleep(0.001)

    def _read(self, within_s: float) -> bool:
        """Take what is shown; False if nothing comes in time, or nothing can come any more."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, within_s))
        try:
            data = os.read(self._master, 65536) if ready else b""
        except OSError:  # the command has ended
            return False
        self._output += data
        return bool(data)


def _take_terminal() -> None:
    """Make standard input the terminal from which Ctrl-C comes, and on which secrets are typed."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def shown(output: str, rows: int | None = None) -> Sequence[str]:
    """Return the lines that a terminal shows for an output, its last ones if `rows` is given."""
    lines = [""]
    for part in output.replace("\r\n", "\n").split("\n"):
        *_, last = part.split("\r")
        lines[-1] += last.replace("\x1b[K", "")
        lines.append("")
    lines.pop()
    return lines if rows is None else lines[-rows:]
