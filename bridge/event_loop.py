"""The event loop of every process that times a serial line.

asyncio's default loop rounds each timer up to whole milliseconds, as epoll does. The gap before a request is
1.75 ms at 38400 baud and above: rounded up it costs a tenth of what a fast line could carry. `select` takes
microseconds, and with the few descriptors of a gateway it costs no more. The kernel, too, lets a timer run
50 µs over, to wake for several at once, unless a process asks for better.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_TIMER_SLACK = Path("/proc/self/timerslack_ns")  # proc(5); of the main thread, which runs the loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end, as `asyncio.run` does, on timers of microseconds."""
    with suppress(OSError):  # a sandbox without /proc: 50 µs a timer, no more
        _TIMER_SLACK.write_text("1")
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(main)


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
