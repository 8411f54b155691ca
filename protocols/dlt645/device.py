"""One polled meter: each identifier is a request by itself, as is each part of a long value.

A meter refuses an identifier that it does not have, which costs an exchange, or leaves it unanswered, which
costs a time-out. So an identifier that failed in several polls is left out for a while, the others are still
read: see `protocols.toolkit.lessons`. A meter that answers nothing is not there: its poll is over at the
first silence.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from copy import copy
from typing import Final, Self

from protocols.dlt645 import frame as frames
from protocols.dlt645.data import Item
from protocols.dlt645.description import NO_SUCH_DATA, NOT_AUTHORISED, error_name
from protocols.dlt645.edition import DLT645_2007, Edition
from protocols.dlt645.frame import Message, StreamFramer
from protocols.dlt645.settings import MeterSettings
from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.lessons import MOST_SILENCES, Lessons
from protocols.toolkit.polling import Dialogue, LineSettings, NotAsked, PollResult, Request, Values

MAX_PARTS: Final = 255  # their number is one octet, from 1 on

_LASTING = NO_SUCH_DATA | NOT_AUTHORISED


class Meter:
    """One meter, which serves all sensors whose settings name its address."""

    def __init__(
        self, sensors: Sequence[MeterSettings], line: LineSettings, edition: Edition = DLT645_2007
    ) -> None:
        self._edition = edition
        self._sensors = tuple(sensors)
        self._address = sensors[0].address
        self._items = {item.di: item for sensor in sensors for item in sensor.items}
        self._lessons: Lessons[str] = Lessons()

    @property
    def address(self) -> str:
        """Return its address, twelve digits."""
        return self._address

    def twin(self) -> Self:
        """Return a copy that begins with the same knowledge and learns independently."""
        twin = copy(self)
        twin._lessons = self._lessons.twin()
        return twin

    def planned(self) -> list[Request]:
        """Return the requests of the next poll, as they are if each is answered."""
        return [self._request(item) for di, item in self._items.items() if di not in self._lessons.left_out]

    def poll(self, now: float, /) -> Dialogue:
        """Poll once.

        Args:
            now: the time in seconds of a monotonic clock.
        """
        self._lessons.begin(now)
        data_by_identifier: dict[str, bytes] = {}
        refusals: list[DeviceRefusal] = []
        silences = 0
        for item in map(self._items.__getitem__, self._lessons.agenda(self._items)):
            try:
                data = yield from self._fetch(item)
            except NotAsked:
                continue
            if data is None:
                silences += 1
                is_present = bool(data_by_identifier or refusals)
                self._lessons.unanswered(item.di, is_present=is_present)
                if not is_present or silences == MOST_SILENCES:
                    break
            elif isinstance(data, DeviceRefusal):
                refusals.append(data)
                if data.code & _LASTING:
                    self._lessons.failed(item.di, error_name(data.code))
            else:
                data_by_identifier[item.di] = data
        self._lessons.answered(data_by_identifier)
        return PollResult(
            values=tuple(_values(sensor.items, data_by_identifier) for sensor in self._sensors),
            complete=data_by_identifier.keys() == self._items.keys(),
            refusals=tuple(refusals),
            left_out=self._lessons.named(
                {item.name: item.di for item in sensor.items} for sensor in self._sensors
            ),
        )

    def _fetch(self, item: Item) -> Generator[Request, Frame | None, bytes | DeviceRefusal | None]:
        """Request a value.

        Returns:
            Its octets, all parts joined; the refusal of the meter; or None if there was no reply.
        """
        data = b""
        for part in range(MAX_PARTS + 1):
            frame = yield self._request(item, part)
            if frame is None:
                return None
            reply = frames.parse(frame)
            if reply.control & frames.REFUSED:
                code = reply.data[0] if reply.data else 0
                return DeviceRefusal(error_name(code), code=code, request=f"{item.di} ({item.name})")
            data += reply.data[
                self._edition.octets : len(reply.data) - bool(part and self._edition.has_part_numbers)
            ]
            if not reply.control & frames.MORE_FOLLOW:
                break
        return data

    def _request(self, item: Item, part: int = 0) -> Request:
        """Return the request for a value, or for a further part of it."""
        edition = self._edition
        number = bytes((part,)) if part and edition.has_part_numbers else b""
        function = edition.read_following if part else edition.read
        message = Message(self._address, function, item.identifier + number)

        def accepts(frame: Frame) -> bool:
            if frame.direction is not Direction.REPLY:
                return False
            reply = frames.parse(frame)
            if reply.function != function or not frames.covers(self._address, reply.address):
                return False
            is_refusal = bool(reply.control & frames.REFUSED)
            return is_refusal or (reply.data.startswith(item.identifier) and reply.data.endswith(number))

        return Request(
            data=frames.build(message),
            framer=StreamFramer,
            accepts=accepts,
            reply_length=frames.length(edition.octets + item.octets + len(number)),
            summary=f"meter {self._address}: {item.name} ({item.di})" + (f", part {part}" if part else ""),
            shape=(item.di, part),
        )


def _values(items: Sequence[Item], data_by_identifier: dict[str, bytes]) -> Values:
    values = {
        item.name: item.value(data_by_identifier[item.di]) for item in items if item.di in data_by_identifier
    }
    return {name: value for name, value in values.items() if value is not None}
