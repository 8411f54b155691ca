"""The event loop of every process that times a serial line, and how it is kept free of what blocks.

asyncio's default loop rounds each timer up to whole milliseconds, as epoll does. The gap before a request is
1.75 ms at 38400 baud and above: rounded up it costs a tenth of what a fast line could carry. `select` takes
microseconds, but no descriptor above 1023. So epoll watches the descriptors, however many there are, and
`select` waits for epoll alone. The kernel, too, lets a timer run 50 µs over, to wake for several at once,
unless a process asks for better.

What may block (opening a device, looking through sysfs) runs in a thread of its own. A pool will not do: its
threads are few, so that some calls that hang stop every other, and the interpreter waits for them at its end.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_TIMER_SLACK = Path("/proc/self/timerslack_ns")  # proc(5); of the main thread, which runs the loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end, as `asyncio.run` does, on timers of microseconds."""
    with suppress(OSError):  # a sandbox without /proc: 50 µs a timer, no more
        _TIMER_SLACK.write_text("1")
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(main)


def call_in_thread(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Call `work` in a thread of its own with the name `name`; the end of the process does not wait for it.

    The caller owns the deadline: shield the future, or the late result of `work` is lost.

    Returns:
        A future of the result of `work`, or of its error.
    """
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()  # a thread cannot be cancelled

    def call() -> None:
        try:
            result = work()
        except BaseException as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    future = asyncio.wrap_future(outcome)
    threading.Thread(target=call, name=name, daemon=True).start()
    return future


class _FineSelector(selectors.EpollSelector):
    """An epoll selector whose timeouts are not rounded up to milliseconds."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            select.select([self.fileno()], [], [], timeout)  # made at the start: a small number
        return super().select(0)


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(_FineSelector())
