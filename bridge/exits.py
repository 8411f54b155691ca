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

    Raises:
        SystemExit: the block failed for a reason that the bridge knows.
    """
    sys.excepthook = _print_traceback
    try:
        yield
    except ConfigError as error:
        _end(lines(error.mistakes), 2)
    except PackageError as error:
        _end(one_line(error), 2)
    except StepsFailed as error:
        _end(lines(error.failures), 1)
    except BridgeError as error:
        _end(one_line(error), 1)
    except PermissionError as error:
        advice = "run this with sudo, or as one of the group serial-bridge"
        _end(visible(f"{error.filename or error} is not open to this user: {advice}"), 1)


def _end(text: str, status: int) -> None:
    sys.stderr.write(f"{folded(text, sys.stderr)}\n")
    sys.exit(status)


def _print_traceback(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Print an error that nobody foresaw, as Python does, with text that steers no terminal."""
    from traceback import format_exception

    sys.stderr.write(visible("".join(format_exception(kind, error, traceback))))
