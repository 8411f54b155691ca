"""M-Bus on a line that belongs to a foreign master: a telegram tells the address of its meter.

Telegrams of one meter that follow each other are gathered until the last one, as the names of their values
are given by all of them together. A meter that is known by its secondary address alone must tell it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocols.mbus import application, link
from protocols.mbus.device import values_of
from protocols.mbus.items import Item, named
from protocols.mbus.settings import MeterSettings
from protocols.toolkit.framing import Frame
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.overhearing import Asked, Overheard, TellingOverhearer

_MOST_ITEMS = 1000  # of one meter's telegrams that follow each other


class MeterOverhearer(TellingOverhearer):
    """Listens to a line for sensors with these settings.

    Args:
        sensors: their settings.
        keys: the keys of meters that encrypt, by their addresses as in site.toml.
    """

    def __init__(self, sensors: Sequence[MeterSettings], keys: Mapping[str, MeterKey] | None = None) -> None:
        super().__init__([dict.fromkeys(sensor.values or (), "telegram") for sensor in sensors])
        self._sensors = tuple(sensors)
        self._keys = keys or {}
        self._items: list[Item] = []  # of the telegrams so far of the meter at hand
        self._sender: object = None

    def _asked(self, request: Frame) -> Asked | None:
        message = link.parse(request)
        if message is None or message.c & ~link.FCB != link.REQ_UD2 & ~link.FCB:
            return None
        return Asked(message.a, message.a)

    def _answers(self, asked: Asked, reply: Frame) -> bool:
        message = link.parse(reply)
        if message is None or not message.is_reply:
            return False
        return asked.kind in (message.a, link.SELECTED, link.ANY_METER)

    def _overheard(self, asked: Asked, reply: Frame) -> Sequence[Overheard]:
        message = link.parse(reply)
        assert message is not None
        secondary = application.secondary_of(message)
        sender = (message.a, secondary)
        if sender != self._sender:
            self._items, self._sender = [], sender
        matching = [
            index
            for index, sensor in enumerate(self._sensors)
            if (
                sensor.secondary.covers(secondary)
                if sensor.secondary is not None and secondary is not None
                else sensor.primary is not None and sensor.primary == message.a
            )
        ]
        key = next((self._keys[a] for i in matching if (a := self._sensors[i].address) in self._keys), None)
        telegram = application.read(message, key)
        if telegram is None or telegram.mode or telegram.fault:
            self._items = []
            return ()
        self._items += telegram.items
        if telegram.more_follow and len(self._items) < _MOST_ITEMS:
            return ()
        items_by_name, self._items = named(self._items), []
        return [Overheard(index, values_of(self._sensors[index], items_by_name)) for index in matching]
