"""How long to wait for the first octet of a reply: learned from the device's own answers, both ways. Pure.

    learned ──two misses──▶ configured ──a reply came late──▶ slow ──quick again──▶ learned

- **Learned**: what its last 1000 turn-arounds ask for, never above the configured limit. A dead device costs
  the line one time-out each time it is asked, so a device that is known to be quick is not waited for long.
- **Configured**: after two misses nothing learned counts: the device may have become slower.
- **Slow**: a reply that came too late was measured all the same, and the limit is where the bridge begins,
  not a wall. One late reply counts until the next one in time; after that it takes two among the last twenty,
  so that a single stall is not held against a device for long, and a device that is quick again is soon known
  to be. Never more than 5 s, unless the site says more.
- **Wide**: a device that is silent is asked with more patience now and then, doubled each time up to 5 s; how
  often is for the schedule to say. That finds a slow one whose late replies drown in what others say.
- **Probe**: otherwise a silent device is waited for as long as its replies of late ask for, without the
  margins above: of ten devices, nine of them dead, one that is back is found a third sooner. A reply that
  such a probe does not wait for is heard all the same, if late, and the device is back.
"""

from __future__ import annotations

from collections import deque

from bridge.line.patience import Patience
from bridge.line.recent_times import RecentTimes

GUESSED_AFTER, KNOWN_AFTER = 5, 20
LONGEST_S = 5.0
MISSES_TO_DOUBT = 2
_REPEATS_TO_DOUBT = 2
_LEAST_S = 0.050
_MARGIN_S = 0.030
_WIDE, _WIDE_MARGIN_S = 2.0, 0.045  # over the slowest of a few
_SLOWER = 1.5  # how much slower than ever seen a reply may be
_RECENT = 20
_PROBE_MARGIN_S = 0.016  # the latency timer of a USB adapter
_WAKE_S = 0.100  # for a device that never answered


class ReplyTimeout:
    """The reply time-out of one device, from what is known of its turn-around.

    Attributes:
        times: its last 1000 turn-arounds, late replies included.
        misses: tries in a row that no reply came to.
    """

    def __init__(self) -> None:
        self.times = RecentTimes()
        self.misses = 0
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._late_s = 0.0  # the slowest late reply since the last one in time
        self._is_suspect = False
        self._wide_misses = 0
        self._repeats = 0  # polls in a row that were answered after several tries

    def answered_at_once(self) -> None:
        """Note that a reply to the first try came in time."""
        self._answered()
        self._repeats = 0

    def answered_again(self, since_first_s: float) -> None:
        """Note a reply after several tries.

        If that happens again, it may be that to the first, and the next poll waits long enough to see. If it
        still takes several tries then, they wake the device: more patience would only feed on itself.
        """
        self._answered()
        self._repeats += 1
        if self._repeats == _REPEATS_TO_DOUBT:
            self.came_late(since_first_s)

    def missed(self, patience: Patience = Patience.USUAL) -> None:
        """Note that a try of that kind was left unanswered."""
        self.misses += 1
        self._wide_misses += patience is Patience.WIDE

    def learn(self, turn_around_s: float) -> None:
        """Take one turn-around into account; beyond `LONGEST_S` it teaches nothing."""
        if turn_around_s <= LONGEST_S:
            self.times.add(turn_around_s)
            self._recent.append(turn_around_s)

    def came_late(self, turn_around_s: float) -> None:
        """Note a reply that came after its time-out, and so that the device lives."""
        if turn_around_s <= LONGEST_S:
            self._late_s = max(self._late_s, turn_around_s)

    def suspect(self) -> None:
        """Note that something unexplained was heard after a miss: perhaps its reply, drowned."""
        self._is_suspect = self.misses > 0

    def wait_s(self, limit_s: float, patience: Patience = Patience.USUAL) -> float:
        """Return how long to wait for the first octet of a reply, in seconds.

        `limit_s` is the configured reply time-out.
        """
        learned_s = self._learned_s(limit_s)
        if patience in (Patience.WAKE, Patience.PROBE):
            p99_s = self.times.percentile_s(99) if self.times.count >= GUESSED_AFTER else None
            guess_s = _WAKE_S if patience is Patience.WAKE else limit_s
            return min(learned_s, guess_s if p99_s is None else p99_s + _PROBE_MARGIN_S)
        if patience is Patience.WIDE:
            learned_s = self.wide_s(limit_s)
        elif self.misses >= MISSES_TO_DOUBT:
            learned_s = limit_s
        return learned_s if patience is Patience.BRIEF else max(learned_s, self.slow_s(limit_s))

    def wide_s(self, limit_s: float) -> float:
        """Return how long a try of more patience waits: each time twice as long, `LONGEST_S` at most."""
        if self._is_suspect:
            return max(LONGEST_S, limit_s)
        doubled = self._wide_misses + (not self.is_known)
        return max(limit_s, min(LONGEST_S, limit_s * 2.0 ** min(doubled, 10)))

    def slow_s(self, limit_s: float) -> float:
        """Return the time-out that late replies ask for, above `limit_s`; 0 if the limit is enough."""
        slowest_first = sorted(self._recent, reverse=True)
        stalls = 1 if len(slowest_first) >= GUESSED_AFTER else 0  # of a few replies, none is taken for one
        slowest_s = max([self._late_s, *slowest_first[stalls : stalls + 1]])
        asked_s = min(LONGEST_S, max(_SLOWER * slowest_s, slowest_s + _WIDE_MARGIN_S))
        return asked_s if slowest_s > limit_s else 0.0

    @property
    def is_suspect(self) -> bool:
        """Return whether the device may be slow, not dead: replies were missed, something else was heard."""
        return self._is_suspect and self.misses >= MISSES_TO_DOUBT

    @property
    def is_known(self) -> bool:
        """Return whether enough turn-arounds are known for a time-out of their own."""
        return self.times.count >= KNOWN_AFTER

    def _answered(self) -> None:
        self.misses = self._wide_misses = 0
        self._late_s = 0.0
        self._is_suspect = False

    def _learned_s(self, limit_s: float) -> float:
        p99_s = self.times.percentile_s(99)
        if p99_s is None or self.times.count < GUESSED_AFTER:
            return limit_s
        slowest_s = self.times.slowest_s
        if not self.is_known:
            return min(limit_s, max(_WIDE * slowest_s, slowest_s + _WIDE_MARGIN_S))
        return min(limit_s, max(_SLOWER * slowest_s, p99_s + _MARGIN_S, _LEAST_S))
