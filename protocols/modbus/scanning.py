"""Who is on a Modbus line: each address is asked for one register; any reply says that it is there.

    quick question ─┬▶ nothing                        the next address
                    ├▶ a frame of the address         meet it
                    ├▶ a frame of one asked before    it is slow: meet it
                    └▶ octets that make no frame      somebody asked of late answers garbled, or slowly
                                                      into our question: ask those again, patiently

    meet            patiently, until two good frames; the line is listened to for a second device that answers
                    too

Once all addresses were asked, those that answer are identified (`identify_each`).

A silent address costs 20 ms beside the wire time. So slow devices answer while others are asked: their frames
carry their address, and are believed no further than to ask again.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from protocols.modbus import pdu
from protocols.modbus.candidates import Candidates
from protocols.modbus.carrier import Carrier
from protocols.modbus.identification import identify
from protocols.modbus.models import Library
from protocols.modbus.registers import Table
from protocols.modbus.serial_line import UNITS
from protocols.modbus.unit_memory import UnitMemory, read, request
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import (
    Evidence,
    Find,
    Heard,
    Probe,
    Scanning,
    Scope,
    Search,
    Trouble,
    numbers_in,
)

_RTU_WEIGHT: Final = 20.0
_ASCII_WEIGHT: Final = 2.0
_USUAL: Final = 16  # the addresses that installers give first
_REPLY_WITHIN_S: Final = 0.02
_SLOW_REPLY_WITHIN_S: Final = 0.035  # another rhythm: no reply is hidden by the next question both times
_SUSPECT_S: Final = 0.1  # for an address that may have answered; its reply took as long as it is ago …
_SUSPECT_STEP_S: Final = 0.04  # … and so long is a question ago
_CERTAIN_S: Final = 1.2  # … and for one that somebody did answer from
_OTHERS_S: Final = 0.05  # before the question to it, for the replies of those that were asked just before
_DRAIN_S: Final = 0.25  # before that question, for the reply to the quick one
_LAST_S: Final = 0.1  # for the last address on a line on which nobody was found
_SLOW_S: Final = 0.1  # a turn-around beyond that may be as long as the next question
_LINGER_S: Final = 0.12  # for a second device at the address that answers later
_RECENT: Final = 8  # addresses asked before, one of which may have answered garbled
_RECENT_IN_NOISE: Final = 3
_MOST_VAIN: Final = 3
_LEAST_OCTETS: Final = 3  # fewer are a glitch
_MOST_MEETINGS: Final = 3  # with one unit whose frames were heard
_MEETINGS: Final = 6  # tries to have two good frames
_GARBLED: Final = 5  # octets in answer to each of so many questions are no noise …
_SPREAD_S: Final = 0.04  # … if they come after the same time
_GOOD_FRAMES: Final = 2
_PROBE: Final = read(Table.HOLDING, 0, 1)
_PROBE_TEXT: Final = "holding register 0"
_PROBE_REPLY: Final = 4  # octets of the PDU
_IDENTIFIED_CONFIDENCE: Final = 0.9

_RTU_LINES: Final = (
    "9600 8N1", "19200 8E1", "9600 8E1", "19200 8N1", "38400 8N1", "115200 8N1", "4800 8N1", "2400 8N1",
    "57600 8N1", "9600 8O1", "19200 8O1", "38400 8E1", "4800 8E1", "2400 8E1", "115200 8E1", "57600 8E1",
    "1200 8N1", "1200 8E1", "38400 8O1", "4800 8O1", "2400 8O1", "115200 8O1",
)  # fmt: skip
_ASCII_LINES: Final = ("9600 7E1", "9600 8N1", "19200 7E1", "19200 8N1", "4800 7E1", "2400 7E1", "9600 7O1")


def modbus_scanning(name: str, carrier: Carrier, library: Library) -> Scanning:
    """Return how a line is searched for the units of a transmission mode.

    Args:
        name: the name of its protocol.
        carrier: the transmission mode.
        library: the models that they may be.
    """
    addresses = tuple(map(str, UNITS))
    candidates = Candidates.of(library)
    return Scanning(
        lines=_lines(carrier, library),
        rounds=(addresses[:_USUAL], addresses[_USUAL:]),
        reply_within_s=_REPLY_WITHIN_S,
        slow_reply_within_s=_SLOW_REPLY_WITHIN_S,
        search=lambda scope: _Round(name, carrier, scope).search(),
        identify=lambda scope: identify_each(name, carrier, candidates, scope),
        probe_octets=carrier.octets(len(_PROBE)),
        weight=_RTU_WEIGHT if carrier.per_octet == 1 else _ASCII_WEIGHT,
        addressed=lambda text: numbers_in(text, UNITS[0], UNITS[-1]),
        neighbours=("dlt645", "dlt645-1997"),
    )


def _lines(carrier: Carrier, library: Library) -> tuple[LineSettings, ...]:
    """Return the usual line settings, then those that only models have. A second stop bit is a mere pause."""
    usual = _ASCII_LINES if carrier.per_octet > 1 else _RTU_LINES
    lines = [LineSettings.parse(text) for text in usual]
    own_lines = {library.model(name).line for name in library.names()} - {None}
    more = [
        LineSettings(line.baudrate, line.bytesize, line.parity)
        for line in own_lines
        if line is not None and carrier.per_octet == 1
    ]
    return tuple(dict.fromkeys([*lines, *sorted(more, key=str)]))


class _Round:
    """One search: some addresses at one line setting."""

    def __init__(self, name: str, carrier: Carrier, scope: Scope) -> None:
        self._name = name
        self._carrier = carrier
        self._scope = scope
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._met: set[int] = set()  # asked patiently already
        self._asked: set[int] = set()
        self._reported: set[int] = set()
        self._meetings: Counter[int] = Counter()
        self._vain = 0  # suspicions in a row that found nobody

    def search(self) -> Search:
        """Ask every address of the scope."""
        units = [int(address) for address in self._scope.addresses] or list(UNITS)
        for unit in units:
            if unit in self._met:
                continue
            self._asked.add(unit)
            self._recent.append(unit)
            asked = request(self._carrier, unit, _PROBE, _PROBE_TEXT)
            wait_s = self._scope.reply_within_s
            if unit == units[-1]:  # nobody is asked after it
                wait_s = _CERTAIN_S if self._reported else _LAST_S
            heard = yield Probe(asked, str(unit), wait_s)
            yield from self._meet_all(heard)

    def _meet_all(self, heard: Heard) -> Search:
        """Meet whoever may have been heard."""
        if heard.is_silent:
            return
        units = [self._carrier.unit(frame) for frame in (heard.frame, *heard.others) if frame is not None]
        if heard.frame is None:
            units += self._named_in(heard.octets)
        for unit in dict.fromkeys(units):
            if self._is_sought(unit):
                yield from self._meet(unit, _CERTAIN_S, _OTHERS_S, heard)
        if units:
            return
        if len(heard.octets) >= _LEAST_OCTETS:
            # On a noisy line most suspicions are vain: then only the latest are asked.
            yield from self._suspect(_RECENT if self._vain < _MOST_VAIN else _RECENT_IN_NOISE)

    def _suspect(self, reach: int) -> Search:
        """Ask those again that were asked last, until one is there: one reply is one device."""
        pause_s, known = _DRAIN_S, len(self._reported)
        for age, unit in enumerate(list(reversed(self._recent))[:reach]):
            if unit not in self._met and len(self._reported) == known:
                yield from self._meet(unit, _SUSPECT_S + age * _SUSPECT_STEP_S, pause_s)
                pause_s = 0.0
        self._vain = 0 if len(self._reported) > known else self._vain + 1

    def _is_sought(self, unit: int) -> bool:
        """Return whether a frame of this unit is news: it was asked, and is not known to be there."""
        return unit in self._asked and unit not in self._reported and self._meetings[unit] < _MOST_MEETINGS

    def _named_in(self, octets: bytes) -> list[int]:
        """Return the units asked of late whose reply may begin in octets that make no frame."""
        return [unit for unit in self._recent if _head(self._carrier, unit) in octets]

    def _meet(self, unit: int, wait_s: float, pause_s: float, first: Heard | None = None) -> Search:
        """Ask one address patiently; report it if it is there.

        Args:
            unit: the address.
            wait_s: how long its first reply is waited for.
            pause_s: how long the reply to an earlier question may still come.
            first: what was heard of it already.
        """
        self._met.add(unit)
        self._meetings[unit] += 1
        meeting = _Meeting(unit, self._carrier.octets(_PROBE_REPLY))
        if first is not None and first.frame is not None and self._carrier.unit(first.frame) == unit:
            meeting.hear(first, self._carrier)
            wait_s = _wait_s(first)
        late: list[int] = []
        for _ in range(_MEETINGS):
            asked = request(self._carrier, unit, _PROBE, _PROBE_TEXT, pause_s)
            heard = yield Probe(asked, str(unit), wait_s, _LINGER_S)
            meeting.hear(heard, self._carrier)
            late += [self._carrier.unit(frame) for frame in heard.others]
            pause_s = 0.0
            if heard.frame is not None:
                wait_s = _wait_s(heard)
            if meeting.is_over:
                break
        find = meeting.find(self._name)
        if find is not None:
            self._reported.add(unit)
            yield find
        for other in dict.fromkeys(late):
            if self._is_sought(other):
                yield from self._meet(other, _CERTAIN_S, _OTHERS_S)
        if meeting.is_disturbed:  # by one that was asked before, and answers slowly
            yield from self._suspect(_RECENT_IN_NOISE)


def identify_each(name: str, carrier: Carrier, candidates: Candidates, scope: Scope) -> Search:
    """Learn which devices the units of a scope are."""
    for address in scope.addresses:
        memory = UnitMemory(carrier, int(address), wait_s=_CERTAIN_S)
        heard = yield from memory.ask(_PROBE, _PROBE_TEXT)
        if heard.frame is None:
            continue
        memory.wait_s = _wait_s(heard)
        memory.owes |= heard.turn_around_s > _SLOW_S
        evidence, reason = _told_by(carrier.body(heard.frame))
        identification = yield from identify(memory, candidates, is_quick=scope.is_quick)
        claim, identity = identification.claim, identification.identity
        if claim.model is not None or identity:
            evidence = Evidence.IDENTIFIED
        elif memory.answers:
            evidence = Evidence.ANSWERS
        yield Find(
            protocol=name,
            address=address,
            evidence=evidence,
            model=claim.model,
            confidence=claim.confidence if claim.model else _IDENTIFIED_CONFIDENCE if identity else None,
            reasons=(*identification.reasons, reason),
            rivals=claim.rivals,
            keys={"address": int(address), **({"model": claim.model} if claim.model else {})},
            identity=identity,
        )


def _wait_s(heard: Heard) -> float:
    """Return how long the next reply of a unit is waited for, in seconds."""
    return max(_SLOW_S, 3 * heard.turn_around_s + 0.05)


def _head(carrier: Carrier, unit: int) -> bytes:
    """Return how a reply to the question begins, by which a garbled one may be known: unit and function."""
    first, other = carrier.adu(unit, _PROBE), carrier.adu(unit, read(Table.HOLDING, 0xFFFF, 1))
    return first[: next(at for at, octet in enumerate(first) if octet != other[at])]


def _told_by(body: bytes) -> tuple[Evidence, str]:
    """Return what the reply to the question tells."""
    if body[0] & pdu.REFUSED:
        return Evidence.REFUSES, f"refuses {_PROBE_TEXT}: {pdu.exception_name(body[1])}"
    return Evidence.ANSWERS, f"answers a read of {_PROBE_TEXT}"


class _Meeting:
    """What was heard of one address that is asked patiently, again and again."""

    def __init__(self, unit: int, whole: int) -> None:
        """Begin with nothing heard; a whole reply has `whole` octets."""
        self._unit = unit
        self._whole = whole
        self._good: list[bytes] = []  # PDUs
        self._silences = 0
        self._garbled: list[int] = []  # octets
        self._begins: list[float] = []  # after the question, in seconds
        self._doubles = 0

    def hear(self, heard: Heard, carrier: Carrier) -> None:
        """Take what was heard after one question."""
        own = [frame for frame in heard.others if carrier.unit(frame) == self._unit]
        if heard.frame is not None:
            self._good.append(carrier.body(heard.frame))
            rest = len(heard.octets) - len(heard.frame.data) - sum(len(frame.data) for frame in own)
            self._doubles += bool(own) or rest >= carrier.octets(2)
        elif heard.is_silent:
            self._silences += 1
        elif len(heard.octets) >= _LEAST_OCTETS and not heard.others:
            self._garbled.append(len(heard.octets))
            self._begins.append(heard.turn_around_s)

    @property
    def is_disturbed(self) -> bool:
        """Return whether a unit that is there was garbled at times."""
        return bool(self._good and self._garbled)

    @property
    def is_over(self) -> bool:
        """Return whether enough is known."""
        if not self._good:
            return self._silences >= 1 or len(self._garbled) >= _GARBLED
        is_clear = len(self._good) >= _GOOD_FRAMES * (1 + len(self._garbled) + self._doubles)
        return is_clear or self._silences >= _GOOD_FRAMES + 1

    def find(self, protocol: str) -> Find | None:
        """Return what is known of the address; None: nothing is there."""
        trouble, evidence, reason = self._judged()
        if evidence is None:
            return None
        return Find(
            protocol=protocol,
            address=str(self._unit),
            evidence=evidence,
            reasons=(reason,),
            keys={"address": self._unit},
            trouble=trouble,
        )

    def _judged(self) -> tuple[Trouble | None, Evidence | None, str]:
        if self._doubles >= _GOOD_FRAMES:
            return Trouble.TWO_DEVICES, Evidence.ANSWERS, "one question is answered twice"
        if len(self._good) >= _GOOD_FRAMES:
            return (None, *_told_by(self._good[-1]))
        is_steady = bool(self._begins) and max(self._begins) - min(self._begins) <= _SPREAD_S
        if len(self._garbled) >= _GARBLED and is_steady and not self._silences:
            if min(self._garbled) > self._whole + 1:
                return Trouble.TWO_DEVICES, Evidence.GARBLED, "every question is answered by two at once"
            return Trouble.NOISE, Evidence.GARBLED, "every question is answered by octets that make no frame"
        return None, None, ""
