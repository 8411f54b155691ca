"""One meter, polled: each identifier is asked for by itself, the parts of a long value one after the other.

What a meter does not have it refuses, at the cost of an exchange, or leaves unanswered, at that of a
time-out. So an identifier that failed in several polls is left alone for a while, the others are still read:
see `protocols.toolkit.lessons`. A meter that answers nothing is not there: its poll is over at the first
silence.
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
    """The meter that serves sensors with these settings, which name one address."""

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
        """Its address, twelve digits."""
        return self._address

    def twin(self) -> Self:
        """Return a device that knows the same, and learns apart from this one."""
        twin = copy(self)
        twin._lessons = self._lessons.twin()
        return twin

    def planned(self) -> list[Request]:
        """The requests of the next poll, should each be answered."""
        return [self._request(item) for di, item in self._items.items() if di not in self._lessons.left_out]

    def poll(self, now: float, /) -> Dialogue:
        """Start one poll at `now`, in seconds of a clock that never goes back."""
        self._lessons.begin(now)
        told: dict[str, bytes] = {}
        refusals: list[DeviceRefusal] = []
        silences = 0
        for item in map(self._items.__getitem__, self._lessons.agenda(self._items)):
            try:
                data = yield from self._fetch(item)
            except NotAsked:
                continue
            if data is None:
                silences += 1
                is_present = bool(told or refusals)
                self._lessons.unanswered(item.di, is_present=is_present)
                if not is_present or silences == MOST_SILENCES:
                    break
            elif isinstance(data, DeviceRefusal):
                refusals.append(data)
                if data.code & _LASTING:
                    self._lessons.failed(item.di, error_name(data.code))
            else:
                told[item.di] = data
        self._lessons.answered(told)
        return PollResult(
            values=tuple(_values(sensor.items, told) for sensor in self._sensors),
            complete=told.keys() == self._items.keys(),
            refusals=tuple(refusals),
            left_out=self._lessons.named(
                {item.name: item.di for item in sensor.items} for sensor in self._sensors
            ),
        )

    def _fetch(self, item: Item) -> Generator[Request, Frame | None, bytes | DeviceRefusal | None]:
        """The octets of a value, all its parts joined; or what the meter refused; or None for silence."""
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
        """Asks for a value, or for a further part of it."""
        edition = self._edition
        number = bytes((part,)) if part and edition.has_part_numbers else b""
        function = edition.read_following if part else edition.read
        asked = Message(self._address, function, item.identifier + number)

        def accepts(frame: Frame) -> bool:
            if frame.direction is not Direction.REPLY:
                return False
            reply = frames.parse(frame)
            if reply.function != function or not frames.covers(self._address, reply.address):
                return False
            is_refusal = bool(reply.control & frames.REFUSED)
            return is_refusal or (reply.data.startswith(item.identifier) and reply.data.endswith(number))

        return Request(
            data=frames.build(asked),
            framer=StreamFramer,
            accepts=accepts,
            reply_length=frames.length(edition.octets + item.octets + len(number)),
            summary=f"meter {self._address}: {item.name} ({item.di})" + (f", part {part}" if part else ""),
            shape=(item.di, part),
        )


def _values(items: Sequence[Item], told: dict[str, bytes]) -> Values:
    values = {item.name: item.value(told[item.di]) for item in items if item.di in told}
    return {name: value for name, value in values.items() if value is not None}
