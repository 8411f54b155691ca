"""What a foreign master gets from the sensors of a bus, beside what this bridge would read from them. Pure.

    frames ──▶ the overhearer ──▶ what the master reads, how often, and what came of it ─┐
    site.toml ──▶ the plan ──▶ what this bridge would ask, and its share of the wire ────┴▶ document

Both shares of the wire are reckoned alike (`check.bus_load`): octets, and for each request a turn-around
and a gap.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from bridge.commands.check import bus_load
from bridge.config import Bus, Sensor
from bridge.reader.doubt import doubts
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Event, Frame
from protocols.toolkit.overhearing import Overheard, Overhearer
from protocols.toolkit.pairing import UnitTally
from protocols.toolkit.polling import Value
from protocols.toolkit.protocol import PolledProtocol


class ValueComparison(TypedDict):
    """One value of a sensor."""

    never_read: str | None  # the place in the sensor that the master does not read; None: it does
    reads: int  # how often the master was given it
    every_s: float | None  # the mean time between two of them; None: fewer than two
    last: Value | None
    least: float | None  # of numbers, what was read …
    most: float | None
    unit: str
    doubt: str | None  # why it cannot be: a sentence


class RequestCounts(TypedDict):
    """What became of the master's requests to one address."""

    requests: int
    writes: int  # of these
    answered: int  # with a reply that can be nothing else
    refused: int
    unanswered: int  # no reply, or none that was whole
    doubtful: int  # with a reply that may be another's: it came late, or after noise
    slowest_ms: float  # from the end of a request to its reply


class SensorComparison(TypedDict):
    """One sensor."""

    address: str
    every_s: float  # of site.toml
    planned_requests: int  # of one poll, shared by the sensors of its address with the same `every`
    asked: RequestCounts | None  # None: the master does not ask it by its address
    values: dict[str, ValueComparison]


class Comparison(TypedDict):
    """The document of `compare --json`."""

    bus: str
    protocol: str
    seconds: float  # how long was listened
    frames: int
    noise_octets: int
    requests: int
    answered: int
    unpaired: dict[str, int]  # replies that were nobody's, by the reason
    sensors: dict[str, SensorComparison]
    others: dict[str, RequestCounts]  # by address: asked by the master, and no sensor of site.toml
    wire_share: float  # 0–1: the part of the time that the master's traffic takes …
    planned_share: float  # … and that of this bridge's plan; above 1 it does not fit
    is_lower_bound: bool  # of `planned_share`
    is_ready: bool  # nothing is to be put right before the move
    verdict: list[str]  # sentences; the last one is the next step


@dataclass(slots=True)
class _ValueTally:
    """What was heard of one value."""

    reads: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    last: Value | None = None
    least: float | None = None
    most: float | None = None
    doubt: str | None = None

    def take(self, value: Value, at_s: float) -> None:
        self.first_s = at_s if not self.reads else self.first_s
        self.reads += 1
        self.last_s, self.last = at_s, value
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.least = value if self.least is None else min(self.least, value)
            self.most = value if self.most is None else max(self.most, value)

    def document(self, unit: str, never_read: str | None) -> ValueComparison:
        return {
            "never_read": never_read,
            "reads": self.reads,
            "every_s": (self.last_s - self.first_s) / (self.reads - 1) if self.reads > 1 else None,
            "last": self.last,
            "least": self.least,
            "most": self.most,
            "unit": unit,
            "doubt": self.doubt,
        }


class Comparing:
    """What is heard on a bus that only listens, counted.

    Args:
        bus: of site.toml.
    """

    def __init__(self, bus: Bus) -> None:
        assert isinstance(bus.protocol, PolledProtocol)
        assert bus.protocol.overhearer is not None
        self._bus = bus
        self._overhearer: Overhearer = bus.protocol.overhearer([sensor.settings for sensor in bus.sensors])
        self._wanted = [dict(of_sensor) for of_sensor in self._overhearer.unread()]
        self._values: list[dict[str, _ValueTally]] = [{} for _ in bus.sensors]
        self._read_units: set[Hashable] = set()  # whose replies brought values of a sensor
        self._frames = self._noise_octets = self._octets = 0

    def hear(self, event: Event, start_s: float) -> None:
        """Take a frame or noise whose first octet came at `start_s`, in seconds."""
        self._octets += len(event.data)
        if isinstance(event, Frame):
            self._frames += 1
        else:
            self._noise_octets += len(event.data)
        question = self._overhearer.pairing.outstanding()
        end_s = start_s + self._bus.line.duration_s(len(event.data))
        try:
            overheard = self._overhearer.hear(event, start_s, end_s)
        except ProtocolError:  # well framed, without sense: it brings nothing
            return
        for one in overheard:
            self._take(one, start_s)
        if overheard and question is not None:
            self._read_units.add(question.unit)

    def document(self, elapsed_s: float) -> Comparison:
        """Return what was heard in so many seconds beside the plan, without a verdict."""
        pairing = self._overhearer.pairing
        demands = bus_load.planned(self._bus)
        unread = self._overhearer.unread()
        planned = {sensor.name: len(demand.asks) for demand in demands for sensor in demand.group.sensors}
        addresses = {sensor.settings.address for sensor in self._bus.sensors}
        per_request_s = bus_load.TURN_AROUND_S + max(self._bus.gap_s, self._bus.line.frame_gap_s)
        wire_s = self._bus.line.duration_s(self._octets) + pairing.requests * per_request_s
        return {
            "bus": self._bus.name,
            "protocol": self._bus.protocol.name,
            "seconds": elapsed_s,
            "frames": self._frames,
            "noise_octets": self._noise_octets,
            "requests": pairing.requests,
            "answered": pairing.pairs,
            "unpaired": dict(pairing.unpaired),
            "sensors": {
                sensor.name: self._sensor(index, sensor, unread[index], planned[sensor.name])
                for index, sensor in enumerate(self._bus.sensors)
            },
            "others": {
                str(unit): _counts(tally)
                for unit, tally in pairing.of_unit.items()
                if unit is not None and str(unit) not in addresses and unit not in self._read_units
            },
            "wire_share": wire_s / elapsed_s if elapsed_s else 0.0,
            "planned_share": sum(demand.share for demand in demands),
            "is_lower_bound": any(demand.is_lower_bound for demand in demands),
            "is_ready": False,
            "verdict": [],
        }

    def _take(self, overheard: Overheard, at_s: float) -> None:
        tallies, units = self._values[overheard.sensor], self._bus.sensors[overheard.sensor].settings.units
        for name, value in overheard.values.items():
            tallies.setdefault(name, _ValueTally()).take(value, at_s)
        for name, doubt in doubts(overheard.values, units, overheard.reread).items():
            tallies[name].doubt = doubt

    def _sensor(
        self, index: int, sensor: Sensor, unread: Mapping[str, str], planned_requests: int
    ) -> SensorComparison:
        tallies = self._values[index]
        units = sensor.settings.units
        # a list that is read comes as values of its own names, with their number
        wanted = [name for name in self._wanted[index] if name in unread or name in units]
        tally = next(
            (
                tally
                for unit, tally in self._overhearer.pairing.of_unit.items()
                if unit is not None and str(unit) == sensor.settings.address
            ),
            None,
        )
        return {
            "address": sensor.settings.address,
            "every_s": sensor.every_s,
            "planned_requests": planned_requests,
            "asked": _counts(tally) if tally else None,
            "values": {
                name: tallies.get(name, _ValueTally()).document(units.get(name, ""), unread.get(name))
                for name in dict.fromkeys([*wanted, *tallies])
            },
        }


def _counts(tally: UnitTally) -> RequestCounts:
    return {
        "requests": tally.requests,
        "writes": tally.writes,
        "answered": tally.pairs,
        "refused": tally.refusals,
        "unanswered": tally.unanswered,
        "doubtful": tally.doubtful,
        "slowest_ms": round(1000 * tally.slowest_s, 1),
    }
