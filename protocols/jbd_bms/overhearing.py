"""A JBD battery on a line that belongs to a foreign master: each reply tells the register that it answers."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.jbd_bms import frame as frames
from protocols.jbd_bms import registers
from protocols.jbd_bms.device import KEYS, register_of
from protocols.jbd_bms.frame import DONE, READ, Reply, Request
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Asked, Overheard, TellingOverhearer
from protocols.toolkit.value_list import ValueSettings


class BmsOverhearer(TellingOverhearer):
    """Listens to a line for sensors with these settings."""

    def __init__(self, sensors: Sequence[ValueSettings]) -> None:
        super().__init__(
            [{name: f"register {register_of(name):02X}" for name in sensor.values} for sensor in sensors]
        )
        self._sensors = tuple(sensors)

    def _asked(self, request: Frame) -> Asked | None:
        message = frames.parse(request)
        if not isinstance(message, Request) or message.order != READ:
            return None
        return Asked("", message.register)

    def _answers(self, asked: Asked, reply: Frame) -> bool:
        message = frames.parse(reply)
        return isinstance(message, Reply) and message.register == asked.kind

    def _overheard(self, asked: Asked, reply: Frame) -> Sequence[Overheard]:
        message = frames.parse(reply)
        if not isinstance(message, Reply) or message.status != DONE:
            return ()
        place = f"register {message.register:02X}"
        for names in self._unread:  # a list is one name here, and its entries have others
            for name in [name for name in names if names[name] == place]:
                del names[name]
        fields = registers.values(message.register, message.data)
        return [
            Overheard(index, KEYS.choose(fields, sensor.values)) for index, sensor in enumerate(self._sensors)
        ]
