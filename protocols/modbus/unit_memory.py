"""What a search has read of one unit: words and refusals, each asked for once. Pure dialogue.

A device that was just found is asked patiently: its first turn-around tells how long the next reply may take.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias, TypeVar

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.registers import Register, Table, octets_of
from protocols.toolkit.polling import Request, Value
from protocols.toolkit.scaling import Missing
from protocols.toolkit.scanning import Heard, Probe

T = TypeVar("T")
Asking: TypeAlias = Generator[Probe, Heard, T]

_LEAST_WAIT_S: Final = 0.1
_MOST_WAIT_S: Final = 1.2
_SHORT_WAIT_S: Final = 0.3  # so long each of many requests may be waited for in vain
_TRIES: Final = 3  # of a request whose reply came damaged
MOST_SILENCES: Final = 4  # in a row; then the unit is left alone


def request(carrier: Carrier, unit: int, body: bytes, summary: str, pause_s: float = 0.0) -> Request:
    """Return the request that carries a PDU to a unit, after a pause in which late replies may come."""
    data = carrier.adu(unit, body)
    length = pdu.reply_length(body)
    return Request(
        data=data,
        framer=partial(carrier.reply_framer, data),
        accepts=carrier.answered_by(data),
        reply_length=carrier.octets(length or pdu.MAX_LENGTH // 4),
        longest_reply=carrier.octets(length or pdu.MAX_LENGTH),
        summary=f"unit {unit}: {summary}",
        pause_s=pause_s,
        shape=(unit, body[0], length),
    )


def read(table: Table, start: int, count: int) -> bytes:
    """Return the PDU that reads a table."""
    return pdu.REQUESTS[table.function].build(function=table.function, start=start, quantity=count)


@dataclass(slots=True)
class UnitMemory:
    """One unit, as far as it was read.

    Attributes:
        carrier: the transmission mode.
        unit: its address.
        wait_s: how long its next reply is waited for, in seconds.
        answers: whether it has answered anything but a refusal.
        silences: requests in a row that it left unanswered.
        owes: a reply to an earlier request may still come, and must not be taken for that to the next one.
        refused_functions: functions that it does not have.
        reads: how many reads it was asked for.
        answered: the PDU that it answered first and what it is for; () if it has not answered yet.
        is_reticent: it leaves unanswered what others refuse, so its silence says no more than that.
    """

    carrier: Carrier
    unit: int
    wait_s: float = _LEAST_WAIT_S
    answers: bool = False
    silences: int = 0
    owes: bool = False
    refused_functions: set[int] = field(default_factory=set)
    reads: int = 0
    answered: tuple[bytes, str] | tuple[()] = ()
    is_reticent: bool = False
    _words: dict[tuple[Table, int], bytes] = field(default_factory=dict)
    _refused: set[tuple[Table, int, int]] = field(default_factory=set)

    def learn(self, turn_around_s: float) -> None:
        """Wait for further replies as long as this unit may need."""
        self.wait_s = min(_MOST_WAIT_S, max(self.wait_s, 3 * turn_around_s + 0.05))

    @property
    def is_lost(self) -> bool:
        """Return whether it has not answered for so long that it is left alone."""
        return self.silences >= MOST_SILENCES

    def ask(self, body: bytes, summary: str, *, linger_s: float = 0.0) -> Asking[Heard]:
        """Send a PDU; ask again if the reply was damaged, and once if none came.

        Returns:
            What was heard the last time. Its frame is the reply or a refusal.
        """
        heard, silences = Heard(), 0
        for _ in range(_TRIES):
            asked = request(self.carrier, self.unit, body, summary, self.wait_s if self.owes else 0.0)
            self.owes = False
            heard = yield Probe(asked, str(self.unit), self.wait_s, linger_s)
            if heard.frame is not None:
                self.owes = silences > 0
                self.silences = 0
                self.answered = self.answered or (body, summary)
                self.learn(heard.turn_around_s)
                return heard
            silences += heard.is_silent
            self.owes = True
            if silences > 1 or (silences and self.is_reticent):
                break
        self.silences += 1
        return heard

    def data(self, body: bytes, summary: str) -> Asking[bytes | None]:
        """Return the PDU of the reply to another one; None: it was refused, or none came."""
        if self.is_lost or body[0] in self.refused_functions:
            return None
        heard = yield from self.ask(body, summary)
        if heard.frame is None:
            yield from self._ask_whether_lost()
            return None
        reply = self.carrier.body(heard.frame)
        if reply[0] & pdu.REFUSED:
            if reply[1] == pdu.ILLEGAL_FUNCTION:
                self.refused_functions.add(body[0])
            return None
        self.answers = True
        return reply

    def _ask_whether_lost(self) -> Asking[None]:
        """Ask a unit that is silent again and again for what it has answered, if that takes no long wait."""
        if self.is_lost and self.answered and self.wait_s <= _SHORT_WAIT_S:
            heard = yield from self.ask(*self.answered)
            self.is_reticent = self.is_reticent or heard.frame is not None

    def knows(self, table: Table, start: int, count: int) -> bool:
        """Return whether these registers were read."""
        return all((table, address) in self._words for address in range(start, start + count))

    def words(self, table: Table, start: int, count: int, *, is_anew: bool = False) -> Asking[bytes | None]:
        """Return the octets of registers; None if the unit refuses them or does not answer.

        Args:
            table: of registers.
            start: the first address.
            count: how many, 1–125.
            is_anew: ask, though they are known.
        """
        places = [(table, address) for address in range(start, start + count)]
        if not is_anew and self.knows(table, start, count):
            return b"".join(self._words[place] for place in places)
        if (table, start, count) in self._refused:
            return None
        summary = f"{table.plural} {start}–{start + count - 1}"
        self.reads += 1
        reply = yield from self.data(read(table, start, count), summary)
        if reply is None:
            self._refused.add((table, start, count))
            return None
        octets = pdu.reply_data(reply)
        self._words |= {place: octets[2 * at : 2 * at + 2] for at, place in enumerate(places)}
        return octets

    def value(self, register: Register, *, is_anew: bool = False) -> Asking[Value | None]:
        """Return the value of a register as its model reads it; None if there is none."""
        if register.table.of_bits or register.scale is not None:
            return None
        octets = yield from self.words(register.table, register.start, register.words, is_anew=is_anew)
        if octets is None:
            return None
        value = register.value(octets_of(register.table, octets, 0, register.words))
        return None if isinstance(value, Missing) else value
