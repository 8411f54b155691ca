"""A bus that only listens: a foreign master polls its sensors, and what they answer becomes readings.

The protocol pairs requests and replies (`protocols.toolkit.pairing`); a value that may be another's is none.
What the master reads in parts is gathered (`bridge.reader.gathering`), and the reading has the time at which
the first octet of its first reply was on the wire. Nothing is ever sent: the port refuses to write.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.causes import Cause, diagnosis
from bridge.clock import Clock
from bridge.port import Port
from bridge.reader.frame_reader import FrameReader
from bridge.reader.gathering import Gathering
from bridge.reader.intake import Intake
from bridge.reader.standing import Standing
from bridge.systemd import Heartbeat
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Event, Frame, NoiseReason
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.protocol import PolledProtocol

if TYPE_CHECKING:
    from bridge.clock import Instant
    from bridge.config import Bus, Sensor
    from bridge.status.documents import LineDocument, SensorDocument

_log = logging.getLogger(__name__)

SILENT_AFTER_S = 60.0
_LOOK_EVERY_S = 1.0  # for parts that did not come, and sensors that fell silent


class Overhearing:
    """Listen to a bus that belongs to a foreign master. Arguments and attributes as of Polling."""

    def __init__(
        self,
        bus: Bus,
        port: Port,
        intakes: dict[str, Intake],
        clock: Clock,
        heartbeat: Heartbeat,
        news: Callable[[], None],
    ) -> None:
        assert isinstance(bus.protocol, PolledProtocol)
        self.heard = 0
        self._name = bus.name
        self._protocol = bus.protocol
        self._line = bus.line
        self._port = port
        self._clock = clock
        self._heartbeat = heartbeat
        self._news = news
        self._sensors = [OverheardSensor(sensor, intakes[sensor.name]) for sensor in bus.sensors]
        assert bus.protocol.overhearer is not None
        self._overhearer = bus.protocol.overhearer([sensor.settings for sensor in bus.sensors])
        self._frames = self._nonsense = self._crc_errors = self._stray_octets = 0

    async def run(self) -> None:
        """Listen, and hand what sensors answered to their intakes.

        Raises:
            PortLost: always, in the end.
        """
        now = asyncio.get_running_loop().time
        frames = FrameReader(self._port, self._protocol.framer(), self._clock, self._line)
        for sensor in self._sensors:
            sensor.start(now())
        while True:
            self._heartbeat.extend(_LOOK_EVERY_S)
            for event, arrival in await frames.read(_LOOK_EVERY_S):
                start_s = arrival.at
                self._count(event)
                try:
                    overheard = self._overhearer.hear(
                        event, start_s, start_s + self._line.duration_s(len(event.data))
                    )
                except ProtocolError as error:
                    self._nonsense += 1
                    _log.debug("%s: %s", event.data.hex(" "), error)
                    continue
                for one in overheard:
                    self.heard += 1
                    self._sensors[one.sensor].take(one, arrival.taken, now())
            for sensor in self._sensors:
                sensor.look(now())
            self._news()

    def _count(self, event: Event) -> None:
        """Count an event for the line's statistics."""
        if isinstance(event, Frame):
            self._frames += 1
        else:
            self._stray_octets += len(event.data)
            self._crc_errors += event.reason == NoiseReason.CHECKSUM

    def sensors(self, elapsed_s: float) -> dict[str, SensorDocument]:
        """Return the part of the status document about each sensor."""
        unread = self._overhearer.unread()
        return {
            sensor.name: {**sensor.document(), "never_read": dict(unread[index])}
            for index, sensor in enumerate(self._sensors)
        }

    def line(self, elapsed_s: float) -> LineDocument:
        """Return the part of the status document about the line."""
        pairing = self._overhearer.pairing
        return {
            "frames": self._frames,
            "crc_errors": self._crc_errors,
            "nonsense": self._nonsense,
            "stray_octets": self._stray_octets,
            "requests": pairing.requests,
            "replies": pairing.pairs,
            "unpaired": dict(pairing.unpaired),
        }


class OverheardSensor:
    """One sensor that a foreign master polls."""

    def __init__(self, sensor: Sensor, intake: Intake) -> None:
        self.name = sensor.name
        self._intake = intake
        self._gathering = Gathering(sensor.every_s)
        self._silent_after_s = max(3 * sensor.every_s, SILENT_AFTER_S)
        self._standing = Standing(sensor.name, sensor.settings.units, "is read by the master of this line")
        self._heard_at = 0.0
        self._replies = 0

    def start(self, now: float) -> None:
        """Start the time-out for silence: the line is open."""
        self._heard_at = now

    def take(self, overheard: Overheard, taken: Instant, now: float) -> None:
        """Record what the sensor answered, and spool the readings that are whole."""
        self._replies += 1
        self._heard_at = now
        self._standing.heard(overheard.values, overheard.reread)
        for part, instant in self._gathering.take(overheard.values, taken, now):
            self._intake.take(part, instant)

    def look(self, now: float) -> None:
        """Spool a reading whose other parts did not come; note that the sensor fell silent."""
        for part, instant in self._gathering.look(now):
            self._intake.take(part, instant)
        if now - self._heard_at > self._silent_after_s:
            self._standing.fell_silent(diagnosis(Cause.NOT_OVERHEARD))

    def document(self) -> SensorDocument:
        """Return the part of the status document about the sensor."""
        return {
            **self._intake.document(),
            **self._standing.document(),
            "replies": self._replies,
            "thinned": self._gathering.thinned,
        }
