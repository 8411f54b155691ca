"""The event loop of every process that times a serial line, and how it is kept free of what blocks.

asyncio's default loop rounds each timer up to whole milliseconds, as epoll does. The gap before a request is
1.75 ms at 38400 baud and above: rounded up it costs a tenth of what a fast line could carry. `select` takes
microseconds, but no descriptor above 1023. So epoll watches the descriptors, however many there are, and
`select` waits for epoll alone. The kernel, too, lets a timer run 50 µs over, to wake for several at once,
unless a process asks for better.

Even so a task goes on some 100 µs after its timer, and on a fast line that is a hundredth of what it carries,
after every reply. So who must be in time asks to be woken `LEAD_S` before, gets ready, and waits for the rest
awake (`wait_awake`).

What is only looked at once a second is looked at on the second (`until_multiple_s`): a process that waits is
woken once for all of it, and to be woken is most of what such a look costs.

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

LEAD_S = 150e-6  # more than it takes from a timer to the task that waits for it
_TIMER_SLACK = Path("/proc/self/timerslack_ns")  # proc(5); of the main thread, which runs the loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end, as `asyncio.run` does, on timers of microseconds."""
    with suppress(OSError):  # a sandbox without /proc: 50 µs a timer, no more
        _TIMER_SLACK.write_text("1")
    with asyncio.Runner(loop_factory=_FineLoop) as runner:
        return runner.run(main)


async def wait_awake(until: float) -> None:
    """Return at `until` (loop time), to the microsecond, and let nothing else run meanwhile.

    Any other loop than that of `run` has no time of its own: there it is a wait as any other.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, _FineLoop):
        await asyncio.sleep(until - loop.time())
        return
    until = min(until, loop.time() + LEAD_S)
    while loop.time() < until:
        pass


def until_multiple_s(every_s: float) -> float:
    """Return the seconds until a multiple of `every_s` on the loop's clock: half of `every_s` to 1.5 of it.

    So who looks again and again after this time looks every `every_s`, together with all who do the same.
    """
    now = asyncio.get_running_loop().time()
    return every_s * round(now / every_s + 1) - now


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


class _FineLoop(asyncio.SelectorEventLoop):
    """The loop of `run`."""

    def __init__(self) -> None:
        super().__init__(_FineSelector())
