"""A server that answers 5.00 to a share of all requests: how late is the newest value, when is all caught up?

On a clock that is moved, one credential and its throttle, against every share and duration, with and without
the token bucket of a ThingsBoard tenant profile, each with many seeds. Half a minute without failures goes
before.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from itertools import chain, product
from typing import NamedTuple

from bridge.simulator.server.device_api import RateLimit
from bridge.uplink.throttle import Throttle

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
DURATIONS_S = (60.0, 600.0, 3600.0, 21600.0)
BUCKETS = (None, "20:1,600:60")
VALUES = (9, 10)
EVERY_S = 2.0
ROUND_TRIP_S = 0.05
SAMPLE_S = 0.5
DATAGRAM = 60  # values that fit
BEFORE_S = 30.0
CAUGHT_UP_S = 60.0
LATE_S = (
    10.0  # in 95 % of all moments, where at most every other message is refused; above, half as much more
)


class _Reading(NamedTuple):
    at: float
    left: int  # values


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run.

    Attributes:
        late_s: how old the newest value on the server was, every `SAMPLE_S` of the fault.
        queued: readings that waited at the end of the fault.
        caught_up_s: from there until none waits.
        allowed_s: a minute, or what the bucket needs for what waited.
    """

    late_s: list[float]
    queued: int
    caught_up_s: float
    allowed_s: float


def run(share: float, duration_s: float, bucket: str | None, values: int, seed: int) -> Outcome:
    """Simulate one sensor that is read every `EVERY_S`; `share` of its messages are answered 5.00."""
    chance = random.Random(seed)
    throttle = Throttle()
    server = RateLimit(bucket, 0.0) if bucket else None
    live: list[_Reading] = []  # the newest last
    backlog: list[_Reading] = []
    rest: list[_Reading] = []  # of a reading that was cut, sent next
    now = next_reading = newest = sampled = 0.0
    ends = BEFORE_S + duration_s
    late: list[float] = []
    queued: int | None = None
    while queued is None or live or backlog or rest:
        while next_reading <= now:
            live.append(_Reading(next_reading, values))
            throttle.record_inflow(values, next_reading)
            next_reading += EVERY_S
        if now >= ends and queued is None:
            queued = len(live) + len(backlog) + len(rest)
        while sampled <= min(now, ends):
            late += [sampled - newest] if sampled > BEFORE_S else []
            sampled += SAMPLE_S
        if not (live or backlog or rest):
            now = next_reading
            continue
        waiting = rest or live + backlog
        most = min(throttle.points(waiting[0].left, now), DATAGRAM)
        rows = waiting[:1] if rest else waiting[: max(most // values, 1)]
        points = min(most, sum(row.left for row in rows))
        rest, live, backlog = [], live[len(rows) :], backlog[max(0, len(rows) - len(live)) :]
        fails = chance.random() < share and BEFORE_S <= now < ends
        sent_at, now = now, now + ROUND_TRIP_S
        if not fails and (server is None or server.take(points, now)):
            rest = [_Reading(rows[0].at, rows[0].left - points)] if points < rows[0].left else []
            newest = max([newest, *(row.at for row in rows if not rest)])
            now += throttle.record_accepted(points, now)
        else:
            backlog = rows + backlog
            now += throttle.record_refused(points, sent_at, now, alone=len(rows) == 1)
    allowed_s = CAUGHT_UP_S
    if bucket:
        allowed_s = max(allowed_s, 30 + 1.5 * queued * values / (10 - values / EVERY_S))
    return Outcome(late, queued, now - ends, allowed_s)


def main(*, seeds: int = 20, durations_s: tuple[float, ...] = DURATIONS_S) -> bool:
    """Print the table; return whether every run kept what is promised."""
    good = True
    print("  refused   for     bucket        newest late (p95)   queued at the end   caught up after (worst)")
    for share, duration_s, bucket in product(SHARES, durations_s, BUCKETS):
        outcomes = [
            run(share, duration_s, bucket, values, seed) for values in VALUES for seed in range(seeds)
        ]
        late = sorted(chain.from_iterable(outcome.late_s for outcome in outcomes))
        late_s = late[int(0.95 * len(late))]
        worst = max(outcomes, key=lambda outcome: outcome.caught_up_s - outcome.allowed_s)
        ok = worst.caught_up_s <= worst.allowed_s and late_s <= (LATE_S if share <= 0.5 else 1.5 * LATE_S)
        good = good and ok
        print(
            f"  {share:5.0%} {duration_s / 60:6.0f} min  {bucket or 'none':<12} {late_s:10.1f} s"
            f"{max(outcome.queued for outcome in outcomes):18} {worst.caught_up_s:22.1f} s  "
            f"{'ok' if ok else 'NOT OK'}",
            flush=True,
        )
    print(
        f"  {'kept' if good else 'NOT KEPT'}: newest value ≤ {LATE_S:.0f} s late, caught up within a minute"
    )
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    chosen = parser.parse_args()
    raise SystemExit(not main(seeds=chosen.seeds))
