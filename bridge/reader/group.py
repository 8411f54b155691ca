"""The sensors of a bus that are polled together, and what status says of each.

Sensors share a device if they have its address and are asked in the same way: their reads are coalesced,
and what a poll brings is split again. They share its fate too: counters of the line are those of the
address.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from bridge.clock import Instant
from bridge.reader.on_change import OnChange
from bridge.reader.schedule import SILENT_AFTER, Schedule
from protocols.dialogue import Device, PollResult, Values

if TYPE_CHECKING:
    from bridge.config import Bus, Sensor
    from bridge.line.station import Station

_log = logging.getLogger(__name__)


class SensorState(Enum):
    """What a sensor did when it was last asked."""

    NEVER = "never"  # no answer yet, and not yet given up
    OK = "ok"
    SILENT = "silent"
    REFUSING = "refusing"  # it answers, but will not give its values


@dataclass(slots=True, eq=False)
class _Tally:
    """What a sensor brought."""

    last_ts: int | None = None
    last_values: Values | None = None
    empty: int = 0
    unchanged: int = 0


class Group:
    """Sensors served by one device. Its settings are those of each of them."""

    def __init__(self, sensors: list[Sensor], device: Device) -> None:
        self.sensors = tuple(sensors)
        self.device = device
        self.address = device.address
        first = sensors[0]
        self.every_s = first.every_s
        self.reply_timeout_s = first.reply_timeout_s
        self.retries = first.retries
        self.gap_s = first.gap_s
        self.is_retried = True  # a request it leaves unanswered; not after the first, until it answers
        self._state = SensorState.NEVER
        self._misses = 0
        self._tallies = {sensor.name: _Tally() for sensor in sensors}
        self._on_change = {
            sensor.name: OnChange(
                deadband=sensor.deadband, at_least_s=sensor.at_least_s, every_s=sensor.every_s
            )
            for sensor in sensors
            if sensor.publish == "change"
        }
        self._exceptions: Counter[int] = Counter()  # by the device's own code
        self._incomplete = self._out_of_limits = 0

    @property
    def names(self) -> str:
        """Its sensors, for the log."""
        return ", ".join(sensor.name for sensor in self.sensors)

    def missed(self) -> None:
        """A poll brought no answer at all."""
        self._misses += 1
        if self._misses == SILENT_AFTER:
            self._enter(
                SensorState.SILENT, f"({self.address}) does not answer: check power, wiring, line settings"
            )

    def answered(self, result: PollResult) -> None:
        """A poll was answered, if not in every part."""
        self._misses = 0
        self._exceptions.update(refusal.code for refusal in result.refusals)
        self._incomplete += not result.complete
        self._out_of_limits += result.out_of_limits
        if result.refusals and not any(result.values):
            self._enter(SensorState.REFUSING, f"refuses: {result.refusals[0]}")
        else:
            self._enter(SensorState.OK, "answers")

    def made_no_sense(self, error: Exception) -> None:
        """A poll was answered by what makes no sense."""
        self._misses = 0
        self._enter(SensorState.REFUSING, f"answers without sense: {error}")

    def keeps(self, sensor: str, values: Values, taken: Instant) -> bool:
        """Whether these values are a reading, or suppressed and counted because they are the old ones."""
        on_change = self._on_change.get(sensor)
        if on_change is None or on_change.keeps(values, taken.boottime_ns / 1e9):
            return True
        self._tallies[sensor].unchanged += 1
        return False

    def brought(self, sensor: str, ts_ms: int | None, values: Values) -> None:
        """A poll brought values of a sensor, measured at that time; kept or not."""
        tally = self._tallies[sensor]
        tally.last_ts, tally.last_values = ts_ms, values

    def brought_nothing(self, sensor: str) -> None:
        """A poll was answered, but brought no usable value of a sensor."""
        self._tallies[sensor].empty += 1

    def document(
        self, station: Station, schedule: Schedule[Group], elapsed_s: float
    ) -> dict[str, dict[str, Any]]:
        """What status says of each sensor, that many seconds after the start."""
        line = {
            "requests": station.requests,
            "replies": station.replies,
            "timeouts": station.timeouts,
            "crc_errors": station.crc_errors,
            "exceptions": self._exceptions.total(),
            "exception_codes": {str(code): count for code, count in self._exceptions.items()},
            "late_replies": station.late_replies,
            "missed_slots": schedule.missed_slots(self),
            "turn_around_p50_ms": _ms(station.turn_around.percentile_s(50)),
            "turn_around_p99_ms": _ms(station.turn_around.percentile_s(99)),
            "lateness_p99_ms": _ms(schedule.lateness(self).percentile_s(99)),
            "wire_share": round(station.busy_s / elapsed_s, 4) if elapsed_s else 0.0,
        }
        return {
            name: {
                "state": self._state.value,
                "last_ts": tally.last_ts,
                "last_values": tally.last_values,
                **line,
                "empty": tally.empty,
                "unchanged": tally.unchanged,
                "incomplete": self._incomplete,
                "out_of_limits": self._out_of_limits,
            }
            for name, tally in self._tallies.items()
        }

    def _enter(self, state: SensorState, why: str) -> None:
        if state is self._state:
            return
        is_good = state is SensorState.OK
        _log.log(logging.INFO if is_good else logging.WARNING, "%s %s", self.names, why)
        self._state = state


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def groups(bus: Bus) -> list[Group]:
    """The sensors of a bus by address, rhythm and manner of asking, in the order of the file."""
    make = bus.protocol.device
    assert make is not None, "its sensors speak unasked"
    alike: dict[tuple[object, ...], list[Sensor]] = {}
    for sensor in bus.sensors:
        address = bus.protocol.address_of(sensor.settings)
        key = (address, sensor.every_s, sensor.reply_timeout_s, sensor.retries, sensor.gap_s)
        alike.setdefault(key, []).append(sensor)
    return [
        Group(sensors, make([sensor.settings for sensor in sensors], bus.line)) for sensors in alike.values()
    ]
