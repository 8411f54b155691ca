"""A bus whose sensors push: each telegram goes to the sensor whose id it carries.

Each id is a sensor of its own in site.toml. A telegram with another id is no reading: it is listed with its
values, for the installer to copy the id from, and never guessed to be of a configured sensor.

`every` thins out: of each kind of telegram (those with the same values) one is kept per `every`, on a grid
that follows the sensor's own rhythm; "0s" keeps all. A sensor is silent when it was not heard for three times
`every`, or a minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.causes import Cause, Diagnosis, diagnosis
from bridge.clock import Clock, Instant
from bridge.line.stamp import midway
from bridge.line.timed_framer import Arrival
from bridge.port import Port
from bridge.reader.answer import Answer, pushed_answer, silent_answer
from bridge.reader.attempt import Query
from bridge.reader.frame_reader import FrameReader
from bridge.reader.intake import Intake
from bridge.reader.invocation_counters import InvocationCounters
from bridge.reader.slots import Slots
from bridge.reader.standing import Standing
from bridge.systemd import Heartbeat
from protocols.toolkit.errors import DecryptionError, DecryptionReason, ProtocolError
from protocols.toolkit.framing import Event, Frame, NoiseReason
from protocols.toolkit.polling import Values
from protocols.toolkit.protocol import PushingProtocol
from protocols.toolkit.pushing import Listener, PushingSettings, Telegram

if TYPE_CHECKING:
    from bridge.config import Bus, Sensor
    from bridge.status.documents import LineDocument, SensorDocument, UnconfiguredSensor

_log = logging.getLogger(__name__)

SILENT_AFTER_S = 60.0
_LOOK_EVERY_S = 5.0  # for sensors that fell silent
_MOST_KINDS = 32  # of telegrams of one sensor; further ones share their slots
_ANY_KIND: Final = frozenset[str]()
_MOST_UNKNOWN = 32  # ids that are listed; the one heard longest ago goes first


class PushReader:
    """Receive the telegrams of a bus whose sensors push. Arguments and attributes as of Polling.

    Args:
        counters: the invocation counters of the meters that encrypt.
    """

    def __init__(
        self,
        bus: Bus,
        port: Port,
        intakes: dict[str, Intake],
        clock: Clock,
        heartbeat: Heartbeat,
        news: Callable[[], None],
        counters: InvocationCounters,
    ) -> None:
        self._counters = counters
        self.heard = 0
        assert isinstance(bus.protocol, PushingProtocol)
        self._name = bus.name
        self._protocol = bus.protocol
        self._line = bus.line
        self._port = port
        self._clock = clock
        self._heartbeat = heartbeat
        self._news = news
        self._sensors: dict[str, list[PushSensor]] = {}
        for sensor in bus.sensors:
            sensors = self._sensors.setdefault(sensor.settings.address, [])
            sensors.append(PushSensor(sensor, intakes[sensor.name]))
        self._awaited: list[tuple[PushingSettings, asyncio.Future[Values]]] = []  # by persons
        self._unknown: dict[str, UnconfiguredSensor] = {}
        self._undecrypted: Counter[DecryptionReason] = Counter()
        self._frames = self._foreign_frames = self._nonsense = self._crc_errors = self._stray_octets = 0

    async def run(self) -> None:
        """Receive telegrams and hand them to their sensors.

        Raises:
            PortLost: always, in the end.
        """
        now = asyncio.get_running_loop().time
        frames = FrameReader(self._port, self._protocol.framer(), self._clock, self._line)
        listener = self._protocol.listener()
        self._counters.begin(listener)
        for sensor in self._all_sensors():
            sensor.start(now())
        while True:
            self._heartbeat.extend(_LOOK_EVERY_S)
            for event, arrival in await frames.read(_LOOK_EVERY_S):
                telegrams = self._telegrams_of(listener, event)
                self._counters.keep(listener)
                for telegram in telegrams:
                    self._take(telegram, arrival, now())
            for sensor in self._all_sensors():
                sensor.look(now(), self._heard)
            self._news()

    def _telegrams_of(self, listener: Listener, event: Event) -> Sequence[Telegram]:
        """Return the telegrams in a framing event, and count the event for the line's statistics."""
        if not isinstance(event, Frame):
            self._stray_octets += len(event.data)
            self._crc_errors += event.reason == NoiseReason.CHECKSUM
            return ()
        self._frames += 1
        try:
            return listener.telegrams(event)
        except DecryptionError as error:
            self._undecrypted[error.reason] += 1
            if self._undecrypted[error.reason] == 1:
                _log.warning("bus %s: %s", self._name, error.message)
            return ()
        except ProtocolError as error:
            self._nonsense += 1
            _log.debug("%s: %s", event.data.hex(" "), error)
            return ()

    @property
    def _heard(self) -> Heard:
        return Heard(self._frames, self._stray_octets, tuple(self._unknown))

    async def answer(self, query: Query) -> Answer:
        """Return the next telegram of a sensor, for a person. Errors as for `Query.settings`."""
        settings = query.settings(self._protocol, self._line)
        assert isinstance(settings, PushingSettings)
        heard: asyncio.Future[Values] = asyncio.get_running_loop().create_future()
        heard_before = self._heard
        self._awaited.append((settings, heard))
        try:
            async with asyncio.timeout(query.listen_s):
                values = await heard
        except TimeoutError:
            what = _not_heard(self._heard.cause_since(heard_before), self._heard)
            silence = f"{query.sensor} on bus {query.bus} at {query.line} {what}"
            return silent_answer(query.sensor, query.bus, silence)
        finally:
            self._awaited.remove((settings, heard))
        return pushed_answer(query.sensor, query.bus, settings, values)

    def _take(self, telegram: Telegram, arrival: Arrival, now: float) -> None:
        """Hand a telegram to the sensors with its ids, or record it as not configured."""
        for settings, heard in self._awaited:
            if (
                settings.id in telegram.ids
                and (values := settings.choose(telegram.values))
                and not heard.done()
            ):
                heard.set_result(values)
        self.heard += 1
        sensors = [sensor for id_ in telegram.ids for sensor in self._sensors.get(id_, ())]
        if not sensors:
            self._foreign_frames += 1
            self._record_unknown(telegram)
            return
        middle, error_s = midway(arrival)
        for sensor in sensors:
            sensor.take(telegram.values, middle.taken, now, stamp_error_s=error_s)

    def _record_unknown(self, telegram: Telegram) -> None:
        """Record a telegram from a sensor that is not configured, for the installer to copy the id from."""
        before: UnconfiguredSensor = self._unknown.pop(telegram.sender, {"telegrams": 0, "last_values": {}})
        if not before["telegrams"]:
            _log.warning(
                "bus %s: heard, not configured: %s; copy its id to site.toml if it is yours",
                self._name,
                telegram.sender or "a sensor without id",
            )
        self._unknown[telegram.sender] = {
            "telegrams": before["telegrams"] + 1,
            "last_values": telegram.values or before["last_values"],
        }
        if len(self._unknown) > _MOST_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]

    def _all_sensors(self) -> Iterator[PushSensor]:
        for sensors in self._sensors.values():
            yield from sensors

    def sensors(self, elapsed_s: float) -> dict[str, SensorDocument]:
        """Return the part of the status document about each sensor."""
        return {sensor.name: sensor.document() for sensor in self._all_sensors()}

    def line(self, elapsed_s: float) -> LineDocument:
        """Return the part of the status document about the line."""
        document: LineDocument = {
            "frames": self._frames,
            "foreign_frames": self._foreign_frames,
            "crc_errors": self._crc_errors,
            "nonsense": self._nonsense,
            "stray_octets": self._stray_octets,
            "not_configured": dict(self._unknown),
        }
        for reason, count in self._undecrypted.items():
            document[reason] = count
        return document


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard on a line so far: frames, octets outside any frame, and ids that are not configured."""

    frames: int = 0
    stray_octets: int = 0
    other_ids: tuple[str, ...] = ()

    def cause_since(self, earlier: Heard) -> Cause:
        """Return why a sensor was not heard since then, by what was heard instead."""
        if self.frames > earlier.frames:
            return Cause.OTHER_ID if self.other_ids else Cause.NOT_HEARD
        return Cause.NOISE if self.stray_octets > earlier.stray_octets else Cause.NOT_HEARD


def _not_heard(cause: Cause, heard: Heard) -> Diagnosis:
    """Return what to say of a sensor that was not heard."""
    ids = ", ".join(map(repr, heard.other_ids)) if cause is Cause.OTHER_ID else ""
    return diagnosis(cause, ids)


class PushSensor:
    """One sensor that pushes its readings."""

    def __init__(self, sensor: Sensor, intake: Intake) -> None:
        assert isinstance(sensor.settings, PushingSettings)
        self.name = sensor.name
        self._settings = sensor.settings
        self._intake = intake
        self._silent_after_s = max(3 * sensor.every_s, SILENT_AFTER_S)
        self._standing = Standing(sensor.name, sensor.settings.units, "is heard")
        self._heard_at = 0.0
        self._heard_then = Heard()  # on its line, when it was heard last
        self._slots = Slots(sensor.every_s)  # of each kind of telegram
        self._telegrams = self._thinned = 0

    def start(self, now: float) -> None:
        """Start the time-out for silence: the line is open."""
        self._heard_at = now

    def take(self, values: Values, taken: Instant, now: float, *, stamp_error_s: float = 0.0) -> None:
        """Record a telegram and spool its values if it is the one to keep."""
        self._telegrams += 1
        self._heard_at = now
        chosen_values = self._settings.choose(values)
        self._standing.heard(chosen_values)
        if self._is_kept(frozenset(chosen_values), taken.boottime_ns / 1e9):
            self._intake.take(chosen_values, taken, stamp_error_s=stamp_error_s)
        else:
            self._thinned += 1

    def look(self, now: float, heard: Heard) -> None:
        """Change to SILENT if the sensor was not heard for its time-out; `heard`: what was, on its line."""
        if now - self._heard_at > self._silent_after_s:
            self._standing.fell_silent(_not_heard(heard.cause_since(self._heard_then), heard))
        elif now - self._heard_at <= _LOOK_EVERY_S:
            self._heard_then = heard

    def document(self) -> SensorDocument:
        """Return the part of the status document about the sensor."""
        return {
            **self._intake.document(),
            **self._standing.document(),
            "telegrams": self._telegrams,
            "thinned": self._thinned,
        }

    def _is_kept(self, kind: frozenset[str], at_s: float) -> bool:
        """Return whether a telegram is the one of its slot.

        Args:
            kind: the keys of its values.
            at_s: when it was taken, in seconds of boottime.
        """
        if kind not in self._slots.kinds and len(self._slots.kinds) >= _MOST_KINDS:
            kind = _ANY_KIND
        return self._slots.take(kind, at_s)
