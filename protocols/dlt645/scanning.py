"""How a line is searched for meters of DL/T 645, of either edition: by the address that every meter answers.

    AA AA AA AA AA AA     every meter; where several answer, their replies garble each other
    AA AA AA AA AA 00 …   those whose number ends in 00, 01 … 99; then the pair of digits before it …

The request is the one for the imported energy, so that the reply proves the edition as well: meters of 2007
read by four octets, those of 1997 by two. 2007 has a request for the address beside it, which older firmware
answers only from AA… . A meter that answers both editions is claimed as one of 2007.

Each meter that was heard alone is asked again by its own address before it is claimed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from protocols.dlt645 import frame as frames
from protocols.dlt645.edition import DLT645_1997, DLT645_2007, Edition
from protocols.dlt645.frame import ANY_ADDRESS, READ_ADDRESS, REPLY, Message, StreamFramer
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import LineSettings, Request
from protocols.toolkit.scanning import (
    Evidence,
    Find,
    Heard,
    Probe,
    Scanning,
    Scope,
    Search,
    Trouble,
)

_ENERGY: Final = "energy_import"
_OTHERS: Final = ("voltage_a", "current_a", "active_power")  # that most meters have
_REPLY_S: Final = 0.5  # §7.2.3: a meter answers within 500 ms
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


def search_2007(scope: Scope) -> Search:
    """Search a line for meters of the edition of 2007."""
    return _Searcher(scope, "dlt645", DLT645_2007).search()


def search_1997(scope: Scope) -> Search:
    """Search a line for meters of the edition of 1997."""
    return _Searcher(scope, "dlt645-1997", DLT645_1997).search()


@dataclass(slots=True)
class _Searcher:
    """One search.

    Attributes:
        scope: what it covers.
        protocol: the edition's name in site.toml.
        edition: the edition.
        known_addresses: of the meters that were asked by their own.
    """

    scope: Scope
    protocol: str
    edition: Edition
    known_addresses: set[str] = field(default_factory=set)

    def search(self) -> Search:
        """Search a line."""
        for address in self.scope.addresses:
            yield from self._confirm(address)
        if self.scope.addresses:
            return
        answer = yield from self._alone(self._energy(ANY_ADDRESS), least=2, tries=4)
        if answer is Answer.NOBODY and self.edition is DLT645_2007:
            answer = yield from self._alone(_address_request())
        if isinstance(answer, Message):
            yield from self._confirm(answer.address)
        elif answer is Answer.SEVERAL:
            yield from self._divide(ANY_ADDRESS)

    def _divide(self, pattern: str, barren: int = 0) -> Search:
        """Search the meters that a pattern covers, by the next pair of digits.

        Where two divisions in a row bring no meter alone, noise was taken for meters; but for two with one
        number, which leave a single part each time.
        """
        place = pattern.rfind("AA")
        garbled_parts: list[str] = []
        for pair in _PAIRS:
            part = pattern[:place] + pair + pattern[place + 2 :]
            answer = yield from self._alone(self._energy(part))
            if isinstance(answer, Message):
                barren = -1
                yield from self._confirm(answer.address)
            elif answer is Answer.SEVERAL:
                garbled_parts.append(part)
        for part in garbled_parts:
            if not place:
                yield self._garbled(part)
            elif barren < _MOST_BARREN or len(garbled_parts) == 1:
                yield from self._divide(part, barren + 1)

    def _alone(self, request: Request, least: int = _TRIES, tries: int = _TRIES) -> Answered:
        """Ask; return the message of a meter that answered alone, or that nobody or several did.

        Several garble each other, each time, and leave about as many octets as one: what is less is noise.

        Args:
            request: what is asked.
            least: replies in pieces that tell several meters.
            tries: how often it is asked where octets are heard.
        """
        fragments = 0
        for number in range(tries):
            heard = yield self._probe(request, linger_s=_REPLY_S)  # another meter may answer later
            if heard.is_silent and not number:
                break
            if heard.frame is not None and _is_alone(heard):
                return frames.parse(heard.frame)
            fragments += len(heard.octets) >= _SHORTEST
        return Answer.SEVERAL if fragments >= least else Answer.NOBODY

    def _confirm(self, address: str) -> Search:
        """Ask a meter by its own address, twice, and claim it for this edition."""
        if address in self.known_addresses or not address.isdecimal():
            return
        self.known_addresses.add(address)
        answers: list[Message] = []
        for _ in range(_TRIES):
            heard = yield self._probe(self._energy(address))
            if heard.is_silent and self.scope.addresses:
                break
            answers += [frames.parse(heard.frame)] if heard.frame and _is_alone(heard) else []
            if len(answers) == 2:
                break
        if not answers:
            return
        if self.edition is DLT645_1997 and (yield from self._answers_2007(address)):
            return
        names = [_ENERGY] if any(self._value(answer, _ENERGY) is not None for answer in answers) else []
        for name in () if self.scope.is_quick else _OTHERS:
            heard = yield self._probe(self._read(address, name))
            if heard.frame and self._value(frames.parse(heard.frame), name) is not None:
                names.append(name)
        yield self._meter(address, names, is_claimed=len(answers) == 2 and bool(names))

    def _answers_2007(self, address: str) -> Generator[Probe | Find, Heard, bool]:
        """Return whether a meter answers requests of 2007 too, with a value."""
        newer = _Searcher(self.scope, "dlt645", DLT645_2007)
        heard = yield self._probe(newer._energy(address))
        return bool(heard.frame and newer._value(frames.parse(heard.frame), _ENERGY) is not None)

    def _value(self, message: Message, name: str) -> object:
        """Return the value in a reply; None if it refuses, or the octets are no value."""
        if message.control & frames.REFUSED:
            return None
        return self.edition.items[name].value(message.data[self.edition.octets :])

    def _meter(self, address: str, names: list[str], *, is_claimed: bool) -> Find:
        reasons = (
            f"it answered its own address twice, as DL/T 645-{self.edition.year} has it"
            if is_claimed
            else "it answers its own address, and does not tell its energy"
        )
        return Find(
            protocol=self.protocol,
            address=address,
            evidence=Evidence.IDENTIFIED if is_claimed else Evidence.ANSWERS,
            confidence=1.0 if is_claimed else None,
            reasons=(reasons,),
            keys={"address": address} | ({"values": names} if names else {}),
            identity={"serial": address},
        )

    def _garbled(self, address: str) -> Find:
        return Find(
            protocol=self.protocol,
            address=address,
            evidence=Evidence.GARBLED,
            trouble=Trouble.TWO_DEVICES,
            reasons=(f"somebody answers {address}, and no reply is whole: two meters with one number?",),
        )

    def _energy(self, address: str) -> Request:
        return self._read(address, _ENERGY)

    def _read(self, address: str, name: str) -> Request:
        item = self.edition.items[name]
        return _request(Message(address, self.edition.read, item.identifier), item.octets, name)

    def _probe(self, request: Request, linger_s: float = 0.0) -> Probe:
        return Probe(request, request.summary, max(_REPLY_S, self.scope.reply_within_s), linger_s)


def heard_alike(frames_heard: Sequence[Frame], protocol: str, edition: Edition) -> list[Find]:
    """Return the meters that another master reads, by the functions of an edition; none if of the other."""
    messages = [frames.parse(frame) for frame in frames_heard]
    functions = (edition.read, edition.read_following)
    addresses = [
        message.address for message in messages if message.function in functions and message.control & REPLY
    ]
    return [
        Find(
            protocol=protocol,
            address=address,
            evidence=Evidence.HEARD,
            trouble=Trouble.OTHER_MASTER,
            reasons=(f"another master reads it, {count} replies heard",),
        )
        for address, count in Counter(addresses).items()
    ]


def _is_alone(heard: Heard) -> bool:
    return (
        heard.frame is not None and not heard.others and (len(heard.octets) - len(heard.frame.data) <= _STRAY)
    )


def _address_request() -> Request:
    return _request(Message(ANY_ADDRESS, READ_ADDRESS), 6, "address")


def _request(message: Message, octets: int, purpose: str) -> Request:
    def accepts(frame: Frame) -> bool:
        if frame.direction is not Direction.REPLY:
            return False
        answer = frames.parse(frame)
        is_same = answer.function == message.function and bool(answer.control & REPLY)
        if not is_same or not frames.covers(message.address, answer.address):
            return False
        return bool(answer.control & frames.REFUSED) or answer.data.startswith(message.data)

    return Request(
        data=frames.build(message),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=frames.length(0),
        summary=f"meter {message.address}: {purpose}",
        longest_reply=frames.length(len(message.data) + octets),
    )


def addressed(text: str) -> tuple[str, ...]:
    """Return the addresses in a text such as "002311905387,002311905388".

    Raises:
        ValueError: one of them has not twelve digits.
    """
    addresses = [part.strip() for part in text.split(",")]
    for address in addresses:
        if not (address.isdecimal() and len(address) == len(ANY_ADDRESS)):
            raise ValueError(f'"{address}" is no address here, write the twelve digits on the meter')
    return tuple(addresses)


def _lines(*texts: str) -> tuple[LineSettings, ...]:
    return tuple(map(LineSettings.parse, texts))


SCANNING_2007: Final = Scanning(
    weight=4.0,
    lines=_lines("2400 8E1", "9600 8E1", "1200 8E1", "4800 8E1", "9600 8N1", "2400 8N1", "19200 8E1"),
    search=search_2007,
    passive=lambda heard: heard_alike(heard, "dlt645", DLT645_2007),
    reply_within_s=_REPLY_S,
    probe_octets=20,
    requests=2,
    addressed=addressed,
    neighbours=("modbus-rtu", "dlt645-1997"),
)
SCANNING_1997: Final = Scanning(
    lines=_lines("1200 8E1", "2400 8E1", "9600 8E1", "4800 8E1"),
    search=search_1997,
    passive=lambda heard: heard_alike(heard, "dlt645-1997", DLT645_1997),
    reply_within_s=_REPLY_S,
    probe_octets=18,
    addressed=addressed,
    neighbours=("modbus-rtu", "dlt645"),
)
