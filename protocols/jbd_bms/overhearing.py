"""A JBD BMS that a foreign master asks, listened to.

A reply tells its register, and there is one BMS on the line: it can be the answer to nothing but a request of
that register. The check leaves the octet of the register out; a reply in which it was disturbed answers
another request only if that one is outstanding.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.jbd_bms import frame as frames
from protocols.jbd_bms import registers
from protocols.jbd_bms.device import KEYS, register_of
from protocols.jbd_bms.frame import DONE, READ, Reply, Request
from protocols.toolkit.exchanges import Asked, ExchangeOverhearer
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.value_list import ADDRESS, ValueSettings


class BmsOverhearer(ExchangeOverhearer):
    """Listens to the line of a BMS for sensors with these settings."""

    def __init__(self, sensors: Sequence[ValueSettings]) -> None:
        super().__init__([{name: _place(register_of(name)) for name in sensor.values} for sensor in sensors])
        self._sensors = sensors

    def asked(self, frame: Frame, end_s: float) -> None:
        """Take a request whose last octet came at `end_s`."""
        request = frames.parse(frame)
        assert isinstance(request, Request)
        self.pairing.request(Asked(ADDRESS, request.register, frame.data, frame.data[1] != READ), end_s)

    def answered(self, frame: Frame, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take a reply; return the values in it."""
        reply = frames.parse(frame)
        assert isinstance(reply, Reply)
        outstanding = self.pairing.outstanding()
        if reply.status != DONE and outstanding is not None and outstanding.kind == reply.register:
            self.pairing.refused()
            return ()
        question = self.pairing.reply(reply.register, start_s)
        if question is None or question.data[1] != READ or reply.status != DONE:
            return ()
        fields = registers.values(reply.register, reply.data)
        return [
            overheard
            for index, sensor in enumerate(self._sensors)
            for overheard in self.bring(index, KEYS.choose(fields, sensor.values), _place(reply.register))
        ]


def _place(register: int) -> str:
    return f"register {register:02X}"
