"""An event loop on a clock that jumps: no test waits, and every timer fires exactly when it is due."""

from __future__ import annotations

import asyncio
import functools
import selectors
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, ParamSpec, TypeVar, TypeVarTuple

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_BLOCKING = ("find ", "open ", "set ")  # threads that a port's driver or sysfs may keep


class JumpingLoop(asyncio.SelectorEventLoop):
    """Where another loop would sleep, this one moves its clock. Its time begins at 1000 s."""

    def __init__(self) -> None:
        self._now = 1000.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        """Stand still for so long, like a stopped process: what is due meanwhile comes after it."""
        self._now += seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call `func` here and now, which takes no time: else the clock would jump while a thread works."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _jump(self, seconds: float) -> None:
        self._now += seconds


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready and any(thread.name.startswith(_BLOCKING) for thread in threading.enumerate()):
            ready = super().select(0.002)  # its result is no matter of time
        if not ready:
            assert timeout is not None, "nothing will ever happen: the test waits for ever"
            self._jump(max(0.0, timeout))
        return ready


def on_jumping_clock(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in a `JumpingLoop`."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
