"""How much of its wire a bus asks for, reckoned before any port is opened.

A request costs its octets and those of its reply, the device's turn-around, and the gap before the next one.
The turn-around is not known here: a quick one is assumed, so what is called overloaded is. Nor is how
long a reply is where the device decides that: the shortest is reckoned, and said to be the least.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.config import Bus
from bridge.reader.group import Group, groups
from protocols.dialogue import Request

TURN_AROUND_S = 0.005
TIGHT, FULL = 0.9, 1.0  # beyond the first, one retry or one silent sensor costs somebody a slot


@dataclass(frozen=True, slots=True)
class Ask:
    """One planned request: what is asked, and the seconds it takes from one gap to the next.

    Attributes:
        at_least: the device decides how long its reply is; `wire_s` is that of the shortest.
    """

    summary: str
    wire_s: float
    at_least: bool


@dataclass(frozen=True, slots=True)
class Demand:
    """What the sensors that are polled together ask for."""

    group: Group
    asks: tuple[Ask, ...]

    @property
    def wire_s(self) -> float:
        """Wire time of one poll."""
        return sum(ask.wire_s for ask in self.asks)

    @property
    def at_least(self) -> bool:
        """Whether it may take longer, because a device decides how long its reply is."""
        return any(ask.at_least for ask in self.asks)

    @property
    def share(self) -> float:
        """Of the wire; 0 for `every = "0s"`, which takes only what is left."""
        return self.wire_s / self.group.every_s if self.group.every_s else 0.0


def figure(text: str, *, at_least: bool) -> str:
    """A figure as it is said."""
    return f"at least {text}" if at_least else text


def demands(bus: Bus) -> list[Demand]:
    """What each group of sensors on a bus asks for; nothing, where they speak unasked."""
    if bus.protocol.listener:
        return []
    return [
        Demand(group, tuple(_ask(bus, group, request) for request in group.device.planned()))
        for group in groups(bus)
    ]


def warning(bus: Bus) -> str | None:
    """One sentence if the sensors ask for more than the wire carries, or leave it no room; else None."""
    asked = demands(bus)
    load = sum(demand.share for demand in asked)
    if load <= TIGHT:
        return None
    most = max(asked, key=lambda demand: demand.share)
    loaded = figure(f"{100 * load:.0f} %", at_least=any(demand.at_least for demand in asked))
    wire = figure(f"{1000 * most.wire_s:.0f} ms", at_least=most.at_least)
    needs = (
        f"bus.{bus.name} is loaded {loaded}: {most.group.names} needs "
        f"{wire} of wire every {1000 * most.group.every_s:.0f} ms"
    )
    if load > FULL:
        return f"{needs}; raise the baud rate or `every`, or polls will be skipped"
    return f"{needs}; a retry or a silent sensor will cost others a poll"


def _ask(bus: Bus, group: Group, request: Request) -> Ask:
    asking = request.line or bus.line
    octets_s = asking.duration_s(len(request.data))
    octets_s += (request.reply_line or asking).duration_s(request.reply_length)
    gap_s = max(group.gap_s, request.pause_s, bus.line.frame_gap_s)
    at_least = request.longest_reply > request.reply_length
    return Ask(request.summary, octets_s + TURN_AROUND_S + gap_s, at_least)
