"""What a person's shell does to a command: a pipe that ends, a disk that is full, a file that is not there.

These are errors of the system, each of them foreseen: one sentence with the file, the rule and the next step.
They come from any depth, also out of tasks that run side by side, so they are translated in one place, around
the command.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EEXIST, EFBIG, EIO, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EROFS

from bridge.errors import BridgeError
from bridge.exits import each_error

_UNWRITABLE = {EDQUOT, EFBIG, EIO, ENOSPC, EROFS}
_MISNAMED = {EEXIST, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR}


def prepare() -> None:
    """Let standard output take every character: a terminal shows "?" for one it lacks, files get UTF-8."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="replace")
        else:
            sys.stdout.reconfigure(encoding="utf-8")


@contextmanager
def system_errors() -> Iterator[None]:
    """Run the block, a command; translate what the system says of its output and of the files it names.

    Raises:
        BridgeError: a file or the output cannot be used.
        SystemExit: nobody reads the output any more, so nothing is left to say.
    """
    try:
        yield
    except (OSError, ExceptionGroup) as raised:
        error = next(each_error(raised))
        if isinstance(error, BrokenPipeError):
            _discard_output()
            raise SystemExit(1) from None
        if isinstance(error, PermissionError) or not isinstance(error, OSError):
            raise
        sentence = _sentence(error)
        if sentence is None:
            raise
        if error.filename is None:
            _discard_output()
        raise BridgeError(sentence) from error


def _sentence(error: OSError) -> str | None:
    """Return what is wrong and the next step; None where this is no matter of a file that a person named."""
    if error.errno in _UNWRITABLE:
        place = error.filename or "the output"
        return f"{place} cannot be written ({error.strerror}): make room, or write to another disk"
    if error.errno in _MISNAMED and error.filename:
        return f"{error.filename} cannot be used ({error.strerror}): name another file or folder"
    return None


def _discard_output() -> None:
    """Drop what is still buffered for standard output: at the exit it would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
