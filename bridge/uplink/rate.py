"""How many values a second one credential sends, learned from which messages are answered 5.00.

5.00 is ThingsBoard's answer to an exceeded rate limit and to any failure of its own. A rate limit asks for
fewer values a second; a failure asks for nothing but another try. One answer cannot tell them apart, so the
controller is TCP's (CUBIC, RFC 9438):

    per_s = limit × (1 - DECREASE × (1 - t / patience)³)        t: seconds since the last decrease

              limit ┄┄┄┄┄┄┄┄┄___----‾‾‾┄┄/┄┄┄      where it was refused last: approached, then left behind
                        _--‾
                       |  patience  |

- A refusal lowers the rate to 0.7 of what was accepted since the last decrease, once in `DECREASE_EVERY_S`,
  and only if its request was sent after that.
- Time raises it again, whether or not anything is sent: at four times the limit the limit is forgotten.
- A limit that is met again where it was expected is a bucket: it is approached more patiently each time.
  One that is met even at the floor is chance: no patience with it.
- The rate never falls below what comes in, with a quarter to spare for the backlog; while no more goes out
  than comes in, it makes good for the share that is refused.
- A bucket refills. If nothing at all was accepted for `OUTAGE_S`, it was no bucket, and nothing is learned.
- Silence is not an argument of anything here: it says nothing about a rate.
"""

from __future__ import annotations

from math import exp

DECREASE = 0.3
DECREASE_EVERY_S = 3.0
OUTAGE_S = 10.0

_LEAST_PER_S = 0.2
_PATIENCE_S = (5.0, 40.0)
_FORGOTTEN = 4.0  # times the limit
_SPARE = 1.25
_CATCHING_UP = 1.15
_LEAST_SHARE = 0.4  # of messages accepted that the floor makes good for
_SHARE_OVER = 8  # messages
_FLOW_OVER_S = 30.0
_ANEW_OVER_S = 1.0  # what was accepted in the last second is the first guess


class Rate:
    """The send rate of one credential, in values a second. Pure.

    `now` and `sent_at` are seconds on any steady clock.

    Attributes:
        limited_since: when the limit was first met; None while there is none.
    """

    def __init__(self) -> None:
        self.limited_since: float | None = None
        self._limit = 0.0
        self._decreased_at = 0.0
        self._patience_s = _PATIENCE_S[0]
        self._inflow = _Flow()
        self._outflow = _Flow()
        self._share = 1.0
        self._accepted_values = 0  # values since the last decrease
        self._burst = (0.0, 0)  # when it began, values accepted since
        self._refused_since: float | None = None
        self._before: tuple[float | None, float, float, float] = (None, 0.0, 0.0, 0.0)

    def record_inflow(self, points: int, now: float) -> None:
        """Record that a reading of so many values came from its sensor."""
        self._inflow.add(points, now)

    def per_s(self, now: float) -> float | None:
        """Return how many values a second may be sent; None for no limit."""
        if self.limited_since is None:
            return None
        distance = 1 - (now - self._decreased_at) / self._patience_s
        rate = self._limit * (1 - DECREASE * distance**3)
        if rate > _FORGOTTEN * self._limit:
            self._forget()
            return None
        return max(rate, self._floor(now), _LEAST_PER_S)

    def record_accepted(self, points: int, now: float) -> None:
        """Record that a message of so many values was accepted."""
        self._share += (1 - self._share) / _SHARE_OVER
        self._outflow.add(points, now)
        began, sum_ = self._burst
        self._burst = (now, points) if now - began > _ANEW_OVER_S else (began, sum_ + points)
        self._accepted_values += points
        if self._refused_since is not None and now - self._refused_since > OUTAGE_S:
            self.forgive()
        self._refused_since = None

    def record_refused(self, points: int, sent_at: float, now: float) -> None:
        """Record that a message of so many values, sent at `sent_at`, was answered 5.00."""
        if self._refused_since is None:
            self._refused_since = now
            self._before = (self.limited_since, self._limit, self._decreased_at, self._patience_s)
        if now - self._refused_since > OUTAGE_S / 2:
            return
        self._share -= self._share / _SHARE_OVER
        rate = self.per_s(sent_at)
        if rate is None:
            _, accepted_values = self._burst
            self.limited_since, self._limit = now, max(points, accepted_values) / _ANEW_OVER_S
            self._patience_s = _PATIENCE_S[0]
        elif sent_at < self._decreased_at or now - self._decreased_at < DECREASE_EVERY_S:
            return
        else:
            if rate <= self._floor(sent_at):
                self._patience_s = _PATIENCE_S[0]
            elif sent_at - self._decreased_at >= 0.9 * self._patience_s:
                self._patience_s = min(2 * self._patience_s, _PATIENCE_S[1])
            self._limit = max(min(rate, self._accepted_values / (now - self._decreased_at)), _LEAST_PER_S)
        self._decreased_at = now
        self._accepted_values = 0

    def forgive(self) -> None:
        """Undo what was learned from refusals since a message was last accepted."""
        if self._refused_since is not None:
            self.limited_since, self._limit, self._decreased_at, self._patience_s = self._before
            self._refused_since = None

    def _floor(self, now: float) -> float:
        """Return the lowest rate: the inflow with some to spare, and more of it while refusals use it up."""
        inflow = self._inflow.per_s(now)
        is_catching_up = self._outflow.per_s(now) > _CATCHING_UP * inflow
        return _SPARE * inflow / (1.0 if is_catching_up else max(self._share, _LEAST_SHARE))

    def _forget(self) -> None:
        self.limited_since = None
        self._patience_s = _PATIENCE_S[0]


class _Flow:
    """Measure values a second over the last half minute: a sum that decays, so that no list is needed."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._at = 0.0
        self._began: float | None = None

    def add(self, points: int, now: float) -> None:
        self._sum = self._decayed_sum(now) + points
        self._at = now
        if self._began is None:
            self._began = now

    def per_s(self, now: float) -> float:
        if self._began is None:
            return 0.0
        age_s = max(now - self._began, 1.0)
        return self._decayed_sum(now) / (_FLOW_OVER_S * (1 - exp(-age_s / _FLOW_OVER_S)))

    def _decayed_sum(self, now: float) -> float:
        return self._sum * exp(-max(now - self._at, 0.0) / _FLOW_OVER_S)
