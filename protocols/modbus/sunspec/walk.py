"""The walk along a chain of models: where "SunS" stands, then each model's number, length and content.

What was read is kept until the walk is done, so that a lost reply costs one read and not the whole walk. The
walk ends at the first silence, and goes on with the next poll: the replies of its reads look alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator
from copy import copy
from dataclasses import dataclass
from typing import Final, Self

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.payload import Fetch
from protocols.modbus.plan import Read, Span
from protocols.modbus.registers import Table
from protocols.modbus.sunspec.points import HEADER_WORDS, Place
from protocols.toolkit.errors import DeviceRefusal, Refusal
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import NotAsked, Request

MARK: Final = b"SunS"
BASES: Final = (40000, 50000, 0)  # where the mark may stand
COMMON: Final = 1  # the model that names the maker, the type and the serial number
_END: Final = 0xFFFF  # in the place of a model's number
_LAST_ADDRESS: Final = 0xFFFF
_MOST_MODELS: Final = 200


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain of models of a device.

    Attributes:
        base: the address of "SunS".
        places: the models, in their order.
        contents: the octets of the points of those models that were wanted, by their places.
    """

    base: int
    places: tuple[Place, ...]
    contents: dict[Place, bytes]


class WalkEnded(Exception):
    """The chain is not known.

    Attributes:
        refusal: what the device refused, or what it has instead of a chain; None: it did not answer.
    """

    def __init__(self, refusal: DeviceRefusal | None) -> None:
        super().__init__(str(refusal) if refusal else "no reply")
        self.refusal = refusal


class Walk:
    """One unit's chain, as far as it was read."""

    def __init__(
        self, carrier: Carrier, unit: int, gap_s: float = 0.0, max_registers: int = pdu.MAX_REGISTERS
    ) -> None:
        """Prepare the walk.

        Args:
            carrier: the transmission mode.
            unit: the unit address.
            gap_s: least quiet time before a request, in seconds.
            max_registers: the most registers of one read.
        """
        self._carrier = carrier
        self._unit = unit
        self._gap_s = gap_s
        self._max_registers = max_registers
        self._bases = list(BASES)
        self._words: dict[int, bytes] = {}

    def twin(self) -> Self:
        """Return a walk that knows the same, and goes on independently."""
        twin = copy(self)
        twin._words = dict(self._words)
        return twin

    def first_request(self) -> Request:
        """Return the request with which the walk begins or goes on."""
        base = self._bases[0]
        return self._fetch(Span(base, base + HEADER_WORDS)).request

    def chain(self, wanted: Collection[int] | None = None) -> Generator[Request, Frame | None, Chain]:
        """Walk the chain.

        Args:
            wanted: the numbers of the models whose content is needed; None: of all.

        Raises:
            WalkEnded: the device did not answer, refused, or has no chain.
        """
        base = yield from self._base()
        places: list[Place] = []
        contents: dict[Place, bytes] = {}
        instances: Counter[int] = Counter()
        start = base + HEADER_WORDS
        while len(places) < _MOST_MODELS and start + HEADER_WORDS <= _LAST_ADDRESS:
            number, length = yield from self._header(start)
            if number == _END:
                return Chain(base, tuple(places), contents)
            instances[number] += 1
            place = Place(number, start, length, instances[number])
            if place.end > _LAST_ADDRESS:
                break
            if wanted is None or number in wanted:
                contents[place] = yield from self._points(place)
            places.append(place)
            start = place.end
        raise WalkEnded(_refusal(f"the chain that begins at {base} has no end"))

    def _base(self) -> Generator[Request, Frame | None, int]:
        """Return the address of "SunS"; one that does not hold it is tried last from then on."""
        for base in tuple(self._bases):
            try:
                mark = yield from self._content(Span(base, base + HEADER_WORDS))
            except WalkEnded as end:
                self._bases = [*self._bases[1:], base]
                if end.refusal is None:  # perhaps it is silent where it has nothing
                    raise
                continue
            if mark == MARK:
                return base
            self._bases = [*self._bases[1:], base]
        where = f"{', '.join(map(str, BASES[:-1]))} nor {BASES[-1]}"
        raise WalkEnded(_refusal(f'neither {where} holds "SunS", so this is no SunSpec device'))

    def _header(self, start: int) -> Generator[Request, Frame | None, tuple[int, int]]:
        """Return the number and the length of the model at this address; behind an end there may be none."""
        try:
            header = yield from self._content(Span(start, start + HEADER_WORDS))
        except WalkEnded as end:
            if end.refusal is None:
                raise
            number = yield from self._content(Span(start, start + 1))
            if int.from_bytes(number, "big") != _END:
                raise
            return _END, 0
        return int.from_bytes(header[:2], "big"), int.from_bytes(header[2:], "big")

    def _points(self, place: Place) -> Generator[Request, Frame | None, bytes]:
        """Return the content of a model, read with the header behind it if the device allows it."""
        span = Span(place.points_start, place.end)
        try:
            return (yield from self._content(span, also=min(place.end + HEADER_WORDS, _LAST_ADDRESS)))
        except WalkEnded as end:
            if end.refusal is None:
                raise
            return (yield from self._content(span))

    def _content(self, span: Span, also: int = 0) -> Generator[Request, Frame | None, bytes]:
        """Return the octets of a span; what is not known is read, perhaps up to the address `also`."""
        at = span.start
        while at < span.end:
            if at in self._words:
                at += 1
                continue
            end = min(max(span.end, also), at + self._max_registers)
            data = yield from self._read(Span(at, end))
            self._words |= {at + word: data[2 * word : 2 * word + 2] for word in range(end - at)}
        return b"".join(self._words[address] for address in range(span.start, span.end))

    def _read(self, span: Span) -> Generator[Request, Frame | None, bytes]:
        fetch = self._fetch(span)
        try:
            frame = yield fetch.request
        except NotAsked:
            frame = None
        if frame is None:
            raise WalkEnded(None)
        reply = self._carrier.body(frame)
        if reply[0] & pdu.REFUSED:
            code = pdu.EXCEPTION.parse(reply)["exception"]
            raise WalkEnded(
                DeviceRefusal(
                    pdu.exception_name(code),
                    code=code,
                    request=str(fetch.read),
                    kind=pdu.KINDS.get(code, Refusal.OTHER),
                )
            )
        return pdu.reply_data(reply)

    def _fetch(self, span: Span) -> Fetch:
        return Fetch(self._carrier, self._unit, Read(Table.HOLDING, (span,)), [], self._gap_s)


def _refusal(message: str) -> DeviceRefusal:
    return DeviceRefusal(message, code=0, request="SunSpec models", kind=Refusal.ADDRESS)
