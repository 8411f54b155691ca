"""DL/T 645 on a line that belongs to a foreign master: each reply tells its meter and its data identifier.

The parts of a long value are joined if the master asks for all of them, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.dlt645 import frame as frames
from protocols.dlt645.edition import DLT645_2007, Edition
from protocols.dlt645.settings import MeterSettings
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Asked, Overheard, TellingOverhearer


class MeterOverhearer(TellingOverhearer):
    """Listens to a line for sensors with these settings."""

    def __init__(self, sensors: Sequence[MeterSettings], edition: Edition = DLT645_2007) -> None:
        super().__init__([{item.name: item.di for item in sensor.items} for sensor in sensors])
        self._sensors = tuple(sensors)
        self._edition = edition
        self._parts: tuple[object, bytes] | None = None  # of a long value: its kind, and the data so far

    def _asked(self, request: Frame) -> Asked | None:
        message = frames.parse(request)
        if message.function not in (self._edition.read, self._edition.read_following):
            return None
        identifier = message.data[: self._edition.octets]
        if message.function == self._edition.read:
            self._parts = None
        return Asked(message.address, (message.address, identifier, message.function))

    def _answers(self, asked: Asked, reply: Frame) -> bool:
        message = frames.parse(reply)
        assert isinstance(asked.kind, tuple)
        address, identifier, function = asked.kind
        is_refusal = bool(message.control & frames.REFUSED)
        return (
            message.function == function
            and frames.covers(address, message.address)
            and (is_refusal or message.data.startswith(identifier))
        )

    def _overheard(self, asked: Asked, reply: Frame) -> Sequence[Overheard]:
        message = frames.parse(reply)
        if message.control & frames.REFUSED:
            self._parts = None
            return ()
        edition = self._edition
        is_part = message.function == edition.read_following
        key = (message.address, message.data[: edition.octets])
        before = b""
        if is_part:
            if self._parts is None or self._parts[0] != key:
                return ()  # its first part was not heard
            before = self._parts[1]
        end = len(message.data) - bool(is_part and edition.has_part_numbers)
        data = before + message.data[edition.octets : end]
        if message.control & frames.MORE_FOLLOW:
            self._parts = key, data
            return ()
        self._parts = None
        return [
            Overheard(index, {item.name: value})
            for index, sensor in enumerate(self._sensors)
            if frames.covers(sensor.address, message.address)
            for item in sensor.items
            if item.identifier == key[1] and (value := item.value(data)) is not None
        ]
