"""When a reply came that nobody was awake to see. Pure.

A reply that was found after a gap came at any time in it. Where the device is known to be steady, it came
when that device usually answers, and the stamp is as good as any; else it is the middle of the gap, and says
so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bridge.line.reply_timeout import ReplyTimeout
from bridge.line.timed_framer import Arrival
from bridge.line.wakefulness import GAP_S

_NS_PER_S: Final = 1e9


def midway(arrival: Arrival) -> tuple[Arrival, float]:
    """Return the middle of the gap in which octets came, and how wrong that may be in seconds.

    For octets that no request was sent for. The second is 0 if it is no more than usual.
    """
    error_s = arrival.gap_s / 2
    back_ns = round(error_s * _NS_PER_S)
    taken = replace(arrival.taken, boottime_ns=arrival.taken.boottime_ns - back_ns)
    return Arrival(arrival.at - error_s, taken, arrival.gap_s), error_s if error_s > GAP_S else 0.0


def likely(arrival: Arrival, reply_timeout: ReplyTimeout, sent_at: float) -> tuple[Arrival, float]:
    """Return the most likely arrival of a reply, and its possible error in seconds; 0 if no more than usual.

    Args:
        arrival: when its first octet was found.
        reply_timeout: the turn-arounds known of its device.
        sent_at: when its request was on the wire, at the earliest, in seconds of the loop's clock.
    """
    if not arrival.gap_s:
        return arrival, 0.0
    earliest = max(arrival.at - arrival.gap_s, sent_at)
    error_s = arrival.at - earliest
    times = reply_timeout.times
    usual_s, late_s = times.percentile_s(50), times.percentile_s(99)
    if reply_timeout.is_known and usual_s is not None and late_s is not None:
        likely = min(max(sent_at + usual_s, earliest), arrival.at)
        error_s = 0.0 if late_s - usual_s <= GAP_S else error_s
    else:
        likely = earliest + error_s / 2
        error_s /= 2
    back_ns = round((arrival.at - likely) * _NS_PER_S)
    taken = replace(arrival.taken, boottime_ns=arrival.taken.boottime_ns - back_ns)
    return Arrival(likely, taken, arrival.gap_s), error_s if error_s > GAP_S else 0.0
