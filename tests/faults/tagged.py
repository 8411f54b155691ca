"""Devices whose every register says whose it is, and the audit of what was read against what they served.

A register holds

    unit (3 bits) | address mod 32 (5 bits) | how often the unit has answered (8 bits)

so a value under a wrong key, under a wrong sensor, or from an earlier answer is recognised by itself. Times
are compared with the log of the wire: what a reading tells must have been on the wire when its stamp says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bridge.simulator.field.transmission import Served
from protocols.modbus.carrier import Carrier
from protocols.modbus.rtu import SimulatedUnit
from protocols.modbus.serial_line import RTU
from protocols.toolkit.framing import Frame

_UNITS, _TAGS, _ROUNDS = 8, 32, 256
STAMP_ERROR = "stamp_error_ms"
_EXAMPLES = 10  # wrong values that are kept to be shown


class TaggedUnit(SimulatedUnit):
    """A Modbus unit that tags its registers, holding and input alike.

    Attributes:
        answers: how often it has answered.
    """

    def __init__(self, address: int, addresses: Iterable[int], carrier: Carrier = RTU) -> None:
        super().__init__(address, carrier=carrier)
        self.answers = 0
        self._addresses = tuple(addresses)

    def answer(self, request: Frame) -> bytes | None:
        """Answer with what the registers say now."""
        if self.carrier.unit(request) == self.address:
            self.answers += 1
            self.holding = {at: tagged(self.address, at, self.answers) for at in self._addresses}
            self.input = self.holding
        return super().answer(request)


def tagged(unit: int, address: int, answers: int) -> int:
    """Return the 16 bits that a unit tells at an address with its answer of that number."""
    return unit % _UNITS << 13 | address % _TAGS << 8 | answers % _ROUNDS


class Source(NamedTuple):
    """Where a key's value comes from: the unit, and the PDU addresses of its registers, high word first."""

    unit: int
    addresses: tuple[int, ...]


@dataclass(slots=True)
class Findings:
    """What an audit found.

    Attributes:
        served: undamaged replies that the units gave.
        read: of those, how many brought a value that arrived.
        values: values that arrived.
        wrong_key: of these, under the key of another address, or put together from two answers.
        wrong_sensor: of these, told by another unit.
        stale: of these, not on the wire when the stamp of their reading says.
    """

    served: int = 0
    read: int = 0
    values: int = 0
    wrong_key: int = 0
    wrong_sensor: int = 0
    stale: int = 0

    @property
    def are_clean(self) -> bool:
        """Return whether each value that arrived is what its source served then."""
        return not (self.wrong_key or self.wrong_sensor or self.stale)

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.served + other.served,
            self.read + other.read,
            self.values + other.values,
            self.wrong_key + other.wrong_key,
            self.wrong_sensor + other.wrong_sensor,
            self.stale + other.stale,
        )


class Audit:
    """Holds what arrived against what was served.

    Attributes:
        findings: the counts.
        examples: the first values that are not what their source served then.

    Args:
        sources: of each (sensor, key).
        tolerance_s: how far a stamp may be from the time at which the wire handed the reply over.
        words: the words that a reply tells, by the address in their source.
    """

    def __init__(
        self,
        sources: Mapping[tuple[str, str], Source],
        tolerance_s: float = 0.001,
        words: Callable[[Served], Mapping[int, int]] = lambda reply: reply.registers,
    ) -> None:
        self.findings = Findings()
        self.examples: list[str] = []
        self._sources = sources
        self._tolerance_s = tolerance_s
        self._words = words
        self._told: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)  # word → replies
        self._served: list[Served] = []
        self._was_read: set[int] = set()

    def serve(self, served: Sequence[Served]) -> None:
        """Note replies of tagged units; `served` holds those noted before, too."""
        for number in range(len(self._served), len(served)):
            reply = served[number]
            for address, word in self._words(reply).items():
                self._told[int(reply.unit), address, word].append(number)
            self._served.append(reply)
        self.findings.served = len(self._served)

    def judge(self, sensor: str, values: Mapping[str, object], taken_at: float, until: float) -> None:
        """Judge a reading: stamped with `taken_at`, its poll was over at `until`, on the wire's clock.

        A reading that says how wrong its stamp may be is believed.
        """
        stamp_error_ms = values.get(STAMP_ERROR, 0)
        assert isinstance(stamp_error_ms, int | float)
        taken_at -= stamp_error_ms / 1000
        for key, value in values.items():
            if key == STAMP_ERROR:
                continue
            source = self._sources[sensor, key]
            assert isinstance(value, int | float)
            count = len(source.addresses)
            words = [int(value) >> 16 * (count - 1 - place) & 0xFFFF for place in range(count)]
            self.findings.values += 1
            wrong_before = self._wrong
            if any(word >> 13 != source.unit % _UNITS for word in words):
                self.findings.wrong_sensor += 1
            elif (
                any(
                    word >> 8 & 0x1F != address % _TAGS
                    for word, address in zip(words, source.addresses, strict=True)
                )
                or len({word & 0xFF for word in words}) > 1
            ):
                self.findings.wrong_key += 1
            elif not self._was_served(source, words[0], taken_at, until):
                self.findings.stale += 1
            if self._wrong > wrong_before and len(self.examples) < _EXAMPLES:
                told = ", ".join(
                    f"unit {word >> 13} tag {word >> 8 & 31} answer {word & 255}" for word in words
                )
                served = self._nearest(source, words[0], taken_at)
                self.examples.append(f"{taken_at:.3f} {sensor} {key} of {source}: {value} ({told}{served})")
        self.findings.read = len(self._was_read)

    def unread(self) -> list[Served]:
        """Return the replies of which no value arrived, in order."""
        return [reply for number, reply in enumerate(self._served) if number not in self._was_read]

    @property
    def _wrong(self) -> int:
        return self.findings.wrong_key + self.findings.wrong_sensor + self.findings.stale

    def _nearest(self, source: Source, word: int, taken_at: float) -> str:
        """Return how far from the stamp the word was served, if it ever was."""
        numbers = self._told.get((source.unit, source.addresses[0], word), ())
        lags_s = sorted((self._served[number].at - taken_at for number in numbers), key=abs)
        return f", served {1000 * lags_s[0]:+.1f} ms from the stamp" if lags_s else ""

    def _was_served(self, source: Source, word: int, taken_at: float, until: float) -> bool:
        numbers = [
            number
            for number in self._told.get((source.unit, source.addresses[0], word), ())
            if taken_at - self._tolerance_s <= self._served[number].at <= until + self._tolerance_s
        ]
        self._was_read.update(numbers)
        return bool(numbers)
