"""One attempt at a sensor that speaks unasked: the line is listened to until it is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from bridge.causes import Cause, diagnosis
from bridge.clock import Clock
from bridge.config import Bus, Sensor
from bridge.errors import NoReply
from bridge.port import Port
from bridge.reader.answer import Answer, pushed_answer
from bridge.reader.frame_reader import FrameReader
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Event, Frame
from protocols.toolkit.protocol import PushingProtocol, Settings
from protocols.toolkit.pushing import Listener, PushingSettings, Telegram

HEAR_FOR_S: Final = 30.0


async def wait_for_push(
    bus: Bus, protocol: PushingProtocol[Settings], sensor: Sensor, port: Port, clock: Clock
) -> Answer:
    """Return the document for the first telegram with values from the sensor.

    Raises:
        NoReply: none came within `HEAR_FOR_S`; the message says what came instead.
    """
    settings = sensor.settings
    assert isinstance(settings, PushingSettings)
    frames = FrameReader(port, protocol.framer(), clock, bus.line)
    listener = protocol.listener()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + HEAR_FOR_S
    other_senders: set[str] = set()
    octets = 0
    while (remaining_s := deadline - loop.time()) > 0:
        for event, _ in await frames.read(remaining_s):
            octets += len(event.data)
            for telegram in _telegrams(listener, event):
                values = settings.choose(telegram.values)
                if settings.id not in telegram.ids:
                    other_senders.add(telegram.sender)
                elif values:
                    return pushed_answer(sensor.name, bus.name, settings, values)
    cause = Cause.OTHER_ID if other_senders else Cause.NOISE if octets else Cause.NOT_HEARD
    what = diagnosis(cause, ", ".join(sorted(other_senders)))
    raise NoReply(f"{sensor.name} on {port.path} at {bus.line} {what}", cause)


def _telegrams(listener: Listener, event: Event) -> Sequence[Telegram]:
    """Return the telegrams of an event; none if it is noise or cannot be decoded."""
    try:
        return listener.telegrams(event) if isinstance(event, Frame) else ()
    except ProtocolError:
        return ()
