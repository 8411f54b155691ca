"""Meters that a foreign master asks, listened to.

A reply tells its meter, its identifier and, in the edition of 2007, the number of its part: a value in one
part can be the answer to nothing but a request for it. A value in several parts is taken only if they were
asked for one after the other, without noise, retry or another request between them. An address with A for
any digits is answered by a meter that tells its own, and this one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.dlt645 import frame as frames
from protocols.dlt645.edition import DLT645_2007, Edition
from protocols.dlt645.frame import BROADCAST, MORE_FOLLOW, REFUSED, Message
from protocols.dlt645.settings import MeterSettings
from protocols.toolkit.exchanges import Asked, ExchangeOverhearer
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.protocol import Fields


@dataclass(slots=True)
class _Parts:
    """The parts of a value so far.

    Attributes:
        address: the meter that sends them.
        identifier: the data identifier, as sent.
        data: their octets.
        count: how many there are.
        is_asked: the next one was asked for.
    """

    address: str
    identifier: bytes
    data: bytes
    count: int = 1
    is_asked: bool = False


class MeterOverhearer(ExchangeOverhearer):
    """Listens to a line for sensors with these settings."""

    def __init__(self, sensors: Sequence[MeterSettings], edition: Edition = DLT645_2007) -> None:
        super().__init__([{item.name: _place(item.identifier) for item in each.items} for each in sensors])
        self._sensors = sensors
        self._edition = edition
        self._request = Message(BROADCAST, 0)  # what was asked last
        self._is_repeated = False  # and before, without a reply
        self._parts: _Parts | None = None

    def disturbed(self) -> None:
        """Give up a value whose parts are not all there."""
        self._parts = None

    def asked(self, frame: Frame, end_s: float) -> None:
        """Take a request whose last octet came at `end_s`."""
        request = frames.parse(frame)
        data = bytes((request.control,)) + request.data
        kind = (request.address, request.function, request.data[: self._edition.octets])
        self._is_repeated = self.pairing.owes(Asked(request.address, kind, data), end_s)
        if request.function == self._edition.read_following:
            if not self._continues(request):
                self._parts = None
            data = self.serial_of(data, is_repeated=False)
        else:
            self._parts = None
        self._request = request
        unit = None if request.address == BROADCAST else request.address
        self.pairing.request(Asked(unit, kind, data), end_s)

    def answered(self, frame: Frame, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take a reply; return the value in it, or in the parts that it completes."""
        reply = frames.parse(frame)
        outstanding = self.pairing.outstanding()
        if outstanding is None or not self._answers(reply):
            self.pairing.reply(None, start_s)
            return ()
        if reply.control & REFUSED:
            self.pairing.refused()
            self._parts = None
            return ()
        if self.pairing.reply(outstanding.kind, start_s) is None:
            self._parts = None
            return ()
        octets, function = self._edition.octets, reply.function
        identifier, data = reply.data[:octets], reply.data[octets:]
        if function == self._edition.read:
            parts = _Parts(reply.address, identifier, data)
        elif function == self._edition.read_following and self._parts is not None:
            parts, self._parts = self._parts, None
            if parts.address != reply.address:
                return ()
            parts.data += data[: len(data) - self._edition.has_part_numbers]
            parts.count += 1
            parts.is_asked = False
        else:
            return ()
        if reply.control & MORE_FOLLOW:
            self._parts = None if self._is_repeated else parts  # else the first may be of an earlier reading
            return ()
        self._parts = None
        return self._values(parts)

    def _continues(self, request: Message) -> bool:
        """Return whether a request is that for the next part, for the first time."""
        parts, octets = self._parts, self._edition.octets
        if parts is None or parts.is_asked or not request.data.startswith(parts.identifier):
            return False
        parts.is_asked = True
        is_next = not self._edition.has_part_numbers or request.data[octets:] == bytes((parts.count,))
        return is_next and frames.covers(request.address, parts.address)

    def _answers(self, reply: Message) -> bool:
        """Return whether a reply is one to the last request, by what it tells."""
        request, octets = self._request, self._edition.octets
        if reply.function != request.function or not frames.covers(request.address, reply.address):
            return False
        if reply.control & REFUSED:
            return True
        has_number = request.function == self._edition.read_following and self._edition.has_part_numbers
        return reply.data[:octets] == request.data[:octets] and (
            not has_number or (len(reply.data) > octets and reply.data[-1:] == request.data[octets:])
        )

    def _values(self, parts: _Parts) -> list[Overheard]:
        overheard = []
        for index, sensor in enumerate(self._sensors):
            if not frames.covers(sensor.address, parts.address):
                continue
            values = {
                item.name: value
                for item in sensor.items
                if item.identifier == parts.identifier and (value := item.value(parts.data)) is not None
            }
            overheard += self.bring(index, values, _place(parts.identifier))
        return overheard


def _place(identifier: bytes) -> str:
    return f"identifier {identifier[::-1].hex().upper()}"


def candidates(heard: Sequence[Fields]) -> list[dict[str, object]]:
    """Return the keys of the meters that answered, each with the values that have a name."""
    names: dict[str, dict[str, None]] = {}
    for fields in heard:
        if "name" in fields and "value" in fields:
            names.setdefault(fields["address"], {})[fields["name"]] = None
    return [{"address": address, "values": list(values)} for address, values in names.items()]
