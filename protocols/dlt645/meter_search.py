"""How a line is searched for meters of DL/T 645, of either edition: by the address that every meter answers.

    AA AA AA AA AA AA     every meter; where several answer, their replies garble each other
    AA AA AA AA AA 00 …   those whose number ends in 00, 01 … 99; then the pair of digits before it …

The request is the one for the imported energy, so that the reply proves the edition as well: meters of 2007
read by four octets, those of 1997 by two. 2007 has a request for the address beside it, which older firmware
answers only from AA… . A meter that answers both editions is claimed as one of 2007.

Each meter that was heard alone is asked again by its own address before it is claimed.

A part of the numbers in which nobody answers is waited for twice as long as the quickest meter needs. A reply
tells its meter's address, so one that comes while the next parts are asked counts as well; where it comes
garbled, the parts asked of late are asked again, patiently.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from protocols.dlt645 import frame as frames
from protocols.dlt645.edition import DLT645_1997, DLT645_2007, Edition
from protocols.dlt645.frame import ANY_ADDRESS, Message
from protocols.dlt645.meter_finds import garbled, meter
from protocols.dlt645.search_requests import address_request, value_request
from protocols.toolkit.framing import Direction
from protocols.toolkit.polling import Request
from protocols.toolkit.scanning import Find, Heard, Probe, Scope, Search

_ENERGY: Final = "energy_import"
_OTHERS: Final = ("voltage_a", "current_a", "active_power")  # that most meters have
REPLY_S: Final = 0.5  # §7.2.3: a meter answers within 500 ms …
_LATE_REPLY_S: Final = 1.2  # … and some need longer
_LEAST_REPLY_S: Final = 0.1
_RECENT: Final = 8  # parts asked before, in one of which somebody may answer late
_MOST_VAIN: Final = 2  # suspicions in a row that found nobody
_SHORTEST: Final = frames.length(1) - frames.PREAMBLE  # octets of a refusal
_STRAY: Final = 4  # octets beside a whole frame that are noise, and no other meter
_PAIRS: Final = [f"{number:02}" for number in range(100)]
_TRIES: Final = 3
_MOST_BARREN: Final = 1  # divisions that brought no meter alone


class Answer(Enum):
    """Who answers a request, where that is not one meter alone."""

    NOBODY = "nobody"
    SEVERAL = "several"


Answered = Generator[Probe | Find, Heard, Message | Answer]


@dataclass(slots=True)
class Searcher:
    """One search.

    Attributes:
        scope: what it covers.
        protocol: the edition's name in site.toml.
        edition: the edition.
        known_addresses: of the meters that were asked by their own.
        quick_reply_s: how long a reply is waited for where most likely nobody answers.
        late_addresses: of meters whose reply came after its time.
        vain_suspicions: how many in a row found nobody.
    """

    scope: Scope
    protocol: str
    edition: Edition
    known_addresses: set[str] = field(default_factory=set)
    quick_reply_s: float = REPLY_S
    late_addresses: list[str] = field(default_factory=list)
    vain_suspicions: int = 0

    def search(self) -> Search:
        """Search a line."""
        for address in self.scope.addresses:
            yield from self._confirm(address)
        if self.scope.addresses:
            return
        everybody = self._energy(ANY_ADDRESS)
        answer = yield from self._alone(everybody, least=2, tries=4, linger_s=_LATE_REPLY_S)
        if answer is Answer.NOBODY and self.edition is DLT645_2007:
            answer = yield from self._alone(address_request())
        if isinstance(answer, Message):
            yield from self._confirm(answer.address)
        if answer is Answer.SEVERAL or self.late_addresses:
            yield from self._divide(ANY_ADDRESS)

    def _divide(self, pattern: str, barren: int = 0) -> Search:
        """Search the meters that a pattern covers, by the next pair of digits.

        Where two divisions in a row bring no meter alone, noise was taken for meters; but for two with one
        number, which leave a single part each time.
        """
        place, known = pattern.rfind("AA"), len(self.known_addresses)
        recent_parts: deque[str] = deque(maxlen=_RECENT)
        garbled_parts: list[str] = []
        for pair in _PAIRS:
            part = pattern[:place] + pair + pattern[place + 2 :]
            recent_parts.append(part)
            heard = yield from self._hear(self._energy(part), self.quick_reply_s, REPLY_S)
            yield from self._confirm_late()
            if heard.is_silent or _is_of_others(heard):
                continue
            garbled_parts += yield from self._look_into(part, heard, recent_parts)
        yield from self._hear(self._energy(part), _LATE_REPLY_S)  # the answer to the last ones may be late
        yield from self._confirm_late()
        barren = -1 if len(self.known_addresses) > known else barren
        for part in dict.fromkeys(garbled_parts):
            if not place:
                yield garbled(self.protocol, part)
            elif barren < _MOST_BARREN or len(garbled_parts) == 1:
                yield from self._divide(part, barren + 1)

    def _look_into(
        self, part: str, first: Heard, recent_parts: Sequence[str]
    ) -> Generator[Probe | Find, Heard, list[str]]:
        """Confirm who answered a part alone; return the parts in which several answer.

        Octets that do not come again may be the reply to an earlier question, which this one garbled.
        """
        known = len(self.known_addresses)
        answer = yield from self._alone(self._energy(part), first=first)
        if isinstance(answer, Message):
            yield from self._confirm(answer.address)
        yield from self._confirm_late()
        if answer is Answer.SEVERAL:
            return [part]
        if len(self.known_addresses) > known or self.vain_suspicions >= _MOST_VAIN:
            return []
        if len(first.octets) < _STRAY:
            return []
        for suspect in list(reversed(recent_parts))[1:]:
            answer = yield from self._alone(self._energy(suspect), wait_s=_LATE_REPLY_S)
            if isinstance(answer, Message):
                yield from self._confirm(answer.address, _LATE_REPLY_S)
            yield from self._confirm_late()
            if len(self.known_addresses) > known or answer is Answer.SEVERAL:
                self.vain_suspicions = 0
                return [suspect] if answer is Answer.SEVERAL else []
        self.vain_suspicions += 1
        return []

    def _alone(
        self,
        request: Request,
        least: int = _TRIES,
        tries: int = _TRIES,
        wait_s: float = 0.0,
        linger_s: float = REPLY_S,
        first: Heard | None = None,
    ) -> Answered:
        """Ask; return the message of a meter that answered alone, or that nobody or several did.

        Several garble each other, each time, and leave about as many octets as one: what is less is noise.

        Args:
            request: what is asked.
            least: replies in pieces that tell several meters.
            tries: how often it is asked where octets are heard.
            wait_s: how long a reply is waited for; 0: as long as the standard allows.
            linger_s: how long another meter may answer after it.
            first: what was heard of it already.
        """
        fragments = 0
        for number in range(tries):
            heard = first or (yield from self._hear(request, wait_s, linger_s))
            first = None
            if heard.is_silent and not number:
                break
            if heard.octets:
                self._learn(heard.turn_around_s)
            if heard.frame is not None and _is_alone(heard):
                return frames.parse(heard.frame)
            fragments += len(heard.octets) >= _SHORTEST
        return Answer.SEVERAL if fragments >= least else Answer.NOBODY

    def _learn(self, turn_around_s: float) -> None:
        """Wait no longer for silent parts than the quickest meter makes likely."""
        self.quick_reply_s = min(self.quick_reply_s, max(_LEAST_REPLY_S, 2 * turn_around_s + 0.05))

    def _hear(
        self, request: Request, wait_s: float = 0.0, linger_s: float = 0.0
    ) -> Generator[Probe | Find, Heard, Heard]:
        """Ask once; keep the addresses of meters that answer an earlier question."""
        wait_s = wait_s or max(REPLY_S, self.scope.reply_within_s)
        heard = yield Probe(request, request.summary, wait_s, linger_s)
        for frame in heard.others:
            message = frames.parse(frame)
            if message.function == self.edition.read and frame.direction is Direction.REPLY:
                self.late_addresses.append(message.address)
        return heard

    def _confirm_late(self) -> Search:
        """Confirm the meters whose replies came late."""
        while self.late_addresses:
            yield from self._confirm(self.late_addresses.pop(), _LATE_REPLY_S)

    def _confirm(self, address: str, wait_s: float = 0.0) -> Search:
        """Ask a meter by its own address, twice, and claim it for this edition.

        Args:
            address: its number; nothing is asked if it is known already.
            wait_s: how long a reply is waited for; 0: as long as the standard allows.
        """
        if address in self.known_addresses or not address.isdecimal():
            return
        self.known_addresses.add(address)
        answers: list[Message] = []
        for _ in range(_TRIES):
            heard = yield from self._hear(self._energy(address), wait_s)
            if heard.is_silent and self.scope.addresses:
                break
            answers += [frames.parse(heard.frame)] if heard.frame and _is_alone(heard) else []
            if len(answers) == 2:
                break
        if not answers:
            return
        if self.edition is DLT645_1997 and (yield from self._answers_2007(address, wait_s)):
            return
        names = [_ENERGY] if any(self._value(answer, _ENERGY) is not None for answer in answers) else []
        for name in () if self.scope.is_quick else _OTHERS:
            heard = yield from self._hear(self._read(address, name), wait_s)
            if heard.frame and self._value(frames.parse(heard.frame), name) is not None:
                names.append(name)
        is_claimed = len(answers) == 2 and bool(names)
        yield meter(self.protocol, self.edition.year, address, names, is_claimed=is_claimed)

    def _answers_2007(self, address: str, wait_s: float) -> Generator[Probe | Find, Heard, bool]:
        """Return whether a meter answers requests of 2007 too, with a value."""
        newer = Searcher(self.scope, "dlt645", DLT645_2007)
        heard = yield from self._hear(newer._energy(address), wait_s)
        return bool(heard.frame and newer._value(frames.parse(heard.frame), _ENERGY) is not None)

    def _value(self, message: Message, name: str) -> object:
        """Return the value in a reply; None if it refuses, or the octets are no value."""
        if message.control & frames.REFUSED:
            return None
        return self.edition.items[name].value(message.data[self.edition.octets :])

    def _energy(self, address: str) -> Request:
        return self._read(address, _ENERGY)

    def _read(self, address: str, name: str) -> Request:
        return value_request(self.edition, address, name)


def _is_alone(heard: Heard) -> bool:
    return (
        heard.frame is not None and not heard.others and (len(heard.octets) - len(heard.frame.data) <= _STRAY)
    )


def _is_of_others(heard: Heard) -> bool:
    """Return whether only meters were heard that answer an earlier question."""
    octets = sum(len(frame.data) for frame in heard.others)
    return heard.frame is None and octets > 0 and len(heard.octets) - octets <= _STRAY
