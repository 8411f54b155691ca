"""How a process of the bridge ends: 0 done, 1 failed, 2 wrong usage or configuration.

A foreseen error is one sentence on standard error; one that nobody foresaw is a traceback. Neither has a
character that steers a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from bridge.errors import BridgeError, ConfigError, StepsFailed
from bridge.plain_text import folded, lines, one_line, visible
from protocols.toolkit.errors import PackageError


@contextmanager
def foreseen_errors() -> Iterator[None]:
    """Run the block, the work of the process; print an error and exit with its status.

    Tasks that ran side by side may each have failed: each sentence is printed once.

    Raises:
        SystemExit: the block failed for a reason that the bridge knows.
    """
    sys.excepthook = _print_traceback
    try:
        yield
    except Exception as error:
        endings = list(map(_ending, each_error(error)))
        foreseen = [ending for ending in endings if ending is not None]
        if len(foreseen) < len(endings):
            raise
        text = "\n".join(dict.fromkeys(text for text, _ in foreseen))
        sys.stderr.write(f"{folded(text, sys.stderr)}\n")
        sys.exit(max(status for _, status in foreseen))


def each_error(error: Exception) -> Iterator[Exception]:
    """Yield the errors of a group, and of the groups in it; an error that is no group alone."""
    if isinstance(error, ExceptionGroup):
        for member in error.exceptions:
            yield from each_error(member)
    else:
        yield error


def _ending(error: Exception) -> tuple[str, int] | None:
    """Return what is printed of an error, and the exit status; None for one that nobody foresaw."""
    match error:
        case ConfigError():
            return lines(error.mistakes), 2
        case PackageError():
            return one_line(error), 2
        case StepsFailed():
            return lines(error.failures), 1
        case BridgeError():
            return one_line(error), 1
        case PermissionError():
            advice = "run this with sudo, or as one of the group serial-bridge"
            return visible(f"{error.filename or error} is not open to this user: {advice}"), 1
    return None


def _print_traceback(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Print an error that nobody foresaw, as Python does, with text that steers no terminal."""
    from traceback import format_exception

    sys.stderr.write(visible("".join(format_exception(kind, error, traceback))))
