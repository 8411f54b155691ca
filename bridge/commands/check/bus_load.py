"""The bus load: how much of the wire's time the sensors of a bus need, computed before any port is opened.

A request costs its octets and those of its reply, the device's turn-around, and the gap before the next one.
The turn-around is not known here: a quick one is assumed, so a bus that is called overloaded is overloaded.
Where a device decides how long its reply is, the shortest reply counts, and the figure is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.config import Bus
from bridge.reader.group import Group
from bridge.reader.grouping import groups
from protocols.toolkit.polling import Request
from protocols.toolkit.protocol import PushingProtocol

TURN_AROUND_S = 0.005
TIGHT, FULL = 0.9, 1.0  # above TIGHT, one retry or one silent sensor costs another sensor a slot


@dataclass(frozen=True, slots=True)
class Ask:
    """One planned request.

    Attributes:
        summary: the request, for people.
        wire_s: seconds on the wire, from one gap to the next.
        is_lower_bound: the device decides how long its reply is; `wire_s` is that of the shortest.
    """

    summary: str
    wire_s: float
    is_lower_bound: bool


@dataclass(frozen=True, slots=True)
class Demand:
    """The requests of one poll of the sensors that are polled together."""

    group: Group
    asks: tuple[Ask, ...]

    @property
    def wire_s(self) -> float:
        """Return the wire time of one poll, in seconds."""
        return sum(ask.wire_s for ask in self.asks)

    @property
    def is_lower_bound(self) -> bool:
        """Return whether a poll may take longer, because a device decides how long its reply is."""
        return any(ask.is_lower_bound for ask in self.asks)

    @property
    def share(self) -> float:
        """Return the share of the wire's time, from 0; 0 for `every = "0s"`, which takes what is left."""
        return self.wire_s / self.group.every_s if self.group.every_s else 0.0


def figure(text: str, *, is_lower_bound: bool) -> str:
    """Return a figure for people, with "at least" where it is only a lower bound."""
    return f"at least {text}" if is_lower_bound else text


def demands(bus: Bus) -> list[Demand]:
    """Return the demand of each group of sensors on a bus; an empty list if none is asked."""
    return [] if bus.listen else planned(bus)


def planned(bus: Bus) -> list[Demand]:
    """Return what each group would demand if the bus was this bridge's own; an empty list if it pushes."""
    if isinstance(bus.protocol, PushingProtocol):
        return []
    return [
        Demand(group, tuple(_ask(bus, group, request) for request in group.device.planned()))
        for group in groups(bus)
    ]


def warning(bus: Bus) -> str | None:
    """Return one sentence if the sensors need nearly all of the wire's time, or more; else None."""
    bus_demands = demands(bus)
    load = sum(demand.share for demand in bus_demands)
    if load <= TIGHT:
        return None
    heaviest = max(bus_demands, key=lambda demand: demand.share)
    share = figure(f"{100 * load:.0f} %", is_lower_bound=any(demand.is_lower_bound for demand in bus_demands))
    wire = figure(f"{1000 * heaviest.wire_s:.0f} ms", is_lower_bound=heaviest.is_lower_bound)
    needs = (
        f"bus.{bus.name} is loaded {share}: {heaviest.group.names} needs "
        f"{wire} of wire every {1000 * heaviest.group.every_s:.0f} ms"
    )
    if load > FULL:
        return f"{needs}; raise the baud rate or `every`, or polls will be skipped"
    return f"{needs}; a retry or a silent sensor will cost others a poll"


def crowd(bus: Bus, within_s: float) -> str | None:
    """Return one sentence if sensors that are aligned to the clock crowd each other; else None.

    Args:
        within_s: how late a reading may be without a word, in seconds.
    """
    aligned = [demand for demand in demands(bus) if demand.group.aligned]
    late_s = sum(demand.wire_s for demand in aligned)
    if len(aligned) < 2 or late_s <= within_s:
        return None
    late = figure(f"{late_s:.1f} s", is_lower_bound=any(demand.is_lower_bound for demand in aligned))
    return (
        f"bus.{bus.name}: {len(aligned)} aligned sensors are read one after the other, so the last is read "
        f"{late} after the begin; raise the baud rate, or divide them among buses"
    )


def _ask(bus: Bus, group: Group, request: Request) -> Ask:
    request_line = request.line or bus.line
    octets_s = request_line.duration_s(len(request.data))
    octets_s += (request.reply_line or request_line).duration_s(request.reply_length)
    gap_s = max(group.gap_s, request.pause_s, bus.line.frame_gap_s)
    is_lower_bound = request.longest_reply > request.reply_length
    return Ask(request.summary, octets_s + TURN_AROUND_S + gap_s, is_lower_bound)
