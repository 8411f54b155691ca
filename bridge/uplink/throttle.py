"""How many values a credential sends at once, and how fast, learned from what the server turns down (5.00).

ThingsBoard counts values in buckets, "20:1,600:60": 20 that refill in one second and 600 that refill in 60.
More at once than a bucket holds are turned down for ever, more than flows in are turned down for now, and the
answer is the same. So the first refusal blames the speed and the next one in a row the size as well.

Nobody tells the limits, so they are found as TCP finds a network's: one reading at first, then twice what was
accepted, until something is turned down. One refusal halves the speed, and each message accepted after it
adds a little, more the longer it goes well: near a limit not one message in twenty is turned down, and after
a server's own failure, which is answered 5.00 too, a hundred messages have forgotten it.
"""

from __future__ import annotations

from bridge.uplink.pace import Wait

_SLOWER = 0.5
_FASTER = 0.004  # with the first message, as much again with every tenth
_LARGER = 1.01
_LESS_CUT = 1.25  # a reading that had to be cut is soon sent whole again


class Throttle:
    """One credential's. Pure.

    Args:
        bounds: the first and the longest wait after a refusal, in seconds.
    """

    def __init__(self, bounds: tuple[float, float]) -> None:
        self._wait = Wait(bounds, 0.0)
        self._least_s = bounds[0]
        self._points = 0.0  # 0: one reading
        self._points_per_s: float | None = None
        self._in_a_row = 0

    def points(self, of_first: int) -> int:
        """The most values in the next message, of which the first reading has so many."""
        return int(self._points) or of_first

    def accepted(self, points: int, *, cut: bool) -> float:
        """A message with so many values was accepted; how long to wait before the next, in seconds."""
        self._wait.end()
        if self._points_per_s is None:
            self._points = max(self._points, 2 * points)
            return 0.0
        self._in_a_row += 1
        self._points *= _LESS_CUT if cut else _LARGER
        self._points_per_s *= 1 + _FASTER * (1 + self._in_a_row / 10)
        return points / self._points_per_s

    def refused(self, points: int) -> float:
        """A message with so many values was turned down; how long to wait, in seconds."""
        self._in_a_row = 0
        if self._wait.is_on:
            points = max(1, points // 2)
        elif self._points_per_s is None:
            self._points_per_s = points / self._least_s
        else:
            self._points_per_s *= _SLOWER
        self._points = points
        return self._wait.longer()

    def begin_again(self) -> None:
        """After an outage everybody has much to send: gently at first, where no limit is known yet."""
        if self._points_per_s is None:
            self._points = 0.0
