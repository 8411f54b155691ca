"""The sensors of a bus that are polled together, and the status of each.

Sensors share a device if they have its address and are asked in the same way: their reads are coalesced,
and what a poll brings is split again. They share its fate too: counters of the line are those of the
address.
"""

from __future__ import annotations

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from bridge.errors import Cause
from bridge.line import Patience
from bridge.reader.schedule import SILENT_AFTER, Schedule
from bridge.status.documents import SensorDocument
from protocols.toolkit.polling import Device, PollResult, SharesAddress
from protocols.toolkit.protocol import PolledProtocol

if TYPE_CHECKING:
    from bridge.config import Bus, Sensor
    from bridge.line.station import Station
    from bridge.reader.poll import Outcome

_log = logging.getLogger(__name__)

_LONGEST_RETRY_S = 3600.0  # for a sensor whose protocol fails
_SAID_AFTER = 3  # second replies: one may be anybody's


class SensorState(Enum):
    """What a sensor did when it was last asked."""

    NEVER = "never"  # no answer yet, and not yet given up
    OK = "ok"
    SILENT = "silent"
    REFUSING = "refusing"  # it answers, but will not give its values
    FAILED = "failed"  # its protocol failed at what it said, in a way that nobody foresaw


_SENTENCES = {
    Cause.LOUD: "cannot be asked: the line does not fall quiet; look for another master or a faulty device",
    Cause.OTHER_REPLY: "answers with another function or length than was asked for: check its model",
    Cause.OTHER_ADDRESS: "does not answer, another address does: check the address set on it",
    Cause.DAMAGED: "answers, but no frame is whole: check baud rate, parity and termination",
    Cause.CUT: "answers, but no frame is whole: check baud rate, parity and termination",
    Cause.NOISE: "does not answer, and what is heard makes no frame: check baud rate, parity and termination",
    Cause.ECHO: "does not answer, and the adapter hears itself: check power, wiring, line settings",
}
_SILENCE = "does not answer: check power, wiring, line settings"


class Group:
    """Sensors served by one device. The group's settings are those of each of them.

    Args:
        sensors: at least one, with equal settings.
        make: makes the device that serves them.
    """

    def __init__(self, sensors: list[Sensor], make: Callable[[], Device]) -> None:
        self.sensors = tuple(sensors)
        self.device = make()
        self.address = self.device.address
        self.cause: Cause | None = None  # of the last request that was left unanswered
        self.failures = 0  # polls in a row that failed in a way that nobody foresaw
        self.late_readings = 0
        self.last_poll: Outcome | None = None
        self._make = make
        first = sensors[0]
        self.every_s = first.every_s
        self.reply_timeout_s = first.reply_timeout_s
        self.retries = first.retries
        self.gap_s = first.gap_s
        self.pause_within_reply_s = first.pause_within_reply_s
        self.is_retried = True  # a request it leaves unanswered; not after the first, until it answers
        self._state = SensorState.NEVER
        self._misses = self._refused = 0  # polls in a row
        self._left_out: tuple[Mapping[str, str], ...] = ()  # of the last poll, for each sensor
        self._logged_left_out: dict[str, Mapping[str, str]] = {}
        self._slow_s = 0.0
        self._exceptions: Counter[int] = Counter()  # by the device's own code
        self._incomplete = self._out_of_limits = 0

    @property
    def names(self) -> str:
        """Return the names of the sensors, for the log."""
        return ", ".join(sensor.name for sensor in self.sensors)

    def forget(self) -> None:
        """Replace the device by one that has learned nothing, and reset the sensors' state."""
        self.device = self._make()
        self.is_retried = True
        self.failures = self._misses = self._refused = 0
        self._slow_s = 0.0
        self._left_out = ()
        self._logged_left_out.clear()
        self._state = SensorState.NEVER

    def tries(self, patience: Patience) -> list[Patience]:
        """Return the tries of one request of a poll of that kind."""
        if patience is Patience.USUAL or self.is_retried:
            return [Patience.USUAL] * (1 + self.retries if self.is_retried else 1)
        return [patience] if patience is Patience.PROBE else [Patience.WAKE, patience.after_waking]

    def retry_at(self, now: float) -> float:
        """Return when to ask again a device whose protocol failed; -inf if it did not fail."""
        if not self.failures:
            return -math.inf
        return now + min(_LONGEST_RETRY_S, max(1.0, self.every_s) * 2.0 ** min(self.failures, 20))

    def missed(self) -> None:
        """Record a poll without any answer."""
        self._misses += 1
        if self._misses == SILENT_AFTER:
            where = f"({self.address}) " if self.address else ""
            self._enter(SensorState.SILENT, where + _SENTENCES.get(self.cause or Cause.SILENT, _SILENCE))

    def failed(self, error: Exception) -> None:
        """Record an unforeseen failure of the protocol; its traceback is logged once."""
        self.failures += 1
        if self._state is not SensorState.FAILED:
            _log.error(
                "%s: the protocol failed (%s); next tries further and further apart, other sensors go on",
                self.names,
                error,
                exc_info=error,
            )
            self._state = SensorState.FAILED

    def waits(self, slow_s: float) -> None:
        """Record and log how long replies are waited for.

        Args:
            slow_s: the wait in seconds where it is longer than the configured `reply_timeout`; else 0.
        """
        if slow_s and not self._slow_s:
            _log.warning(
                "%s answers slowly: waiting up to %.1f s for its replies, reply_timeout is %.1f s",
                self.names,
                slow_s,
                self.reply_timeout_s,
            )
        elif self._slow_s and not slow_s:
            _log.info("%s answers within reply_timeout again", self.names)
        self._slow_s = slow_s

    def answers_twice(self, count: int) -> None:
        """Record that its address answered one request twice, for the time with that number."""
        if count == _SAID_AFTER:
            _log.warning(
                "%s (%s) answers twice: look for a second device with that address, or another master",
                self.names,
                self.address or "without an address",
            )

    def doubted(self) -> None:
        """Record that a poll was answered by nobody knows whom."""
        self._misses = 0
        self._incomplete += 1
        self.last_poll = None

    def answered(self, result: PollResult) -> None:
        """Record a poll that was answered, at least in part.

        A device counts as refusing from the third refused poll in a row on: one refusal is no state.
        """
        self._misses = self.failures = 0
        self._left_out = result.left_out
        self._exceptions.update(refusal.code for refusal in result.refusals)
        self._incomplete += not result.complete
        self._out_of_limits += result.out_of_limits
        if result.refusals and not any(result.values):
            self._refused += 1
            if self._refused >= SILENT_AFTER:
                self._enter(SensorState.REFUSING, f"refuses: {result.refusals[0]}")
        else:
            self._refused = 0
            self._enter(SensorState.OK, "answers")
            self._log_left_out()

    def heard_late(self) -> None:
        """Record that the device was heard after a poll that seemed missed."""
        self._misses = 0

    def made_no_sense(self, error: Exception) -> None:
        """Record a poll whose answer could not be decoded."""
        self._misses = self.failures = 0
        self._enter(SensorState.REFUSING, f"answers without sense: {error}")

    def left_out(self, sensor: Sensor) -> Mapping[str, str]:
        """Return the values of a sensor that are not read at present, each with the reason."""
        return self._left_out[self.sensors.index(sensor)] if self._left_out else {}

    def _log_left_out(self) -> None:
        """Log the values newly left out, one line for each reason, and those that are read again."""
        for sensor in self.sensors:
            now, before = self.left_out(sensor), self._logged_left_out.get(sensor.name, {})
            self._logged_left_out[sensor.name] = now
            keys_of: dict[str, list[str]] = {}
            for key in now.keys() - before.keys():
                keys_of.setdefault(now[key], []).append(key)
            for reason, keys in keys_of.items():
                _log.warning(
                    "%s does not give %s (%s): left out, next tries further apart, up to an hour; "
                    "if the device has no such value, remove it from site.toml",
                    sensor.name,
                    ", ".join(sorted(keys)),
                    reason,
                )
            if back := sorted(before.keys() - now.keys()):
                _log.info("%s: reads %s again", sensor.name, ", ".join(back))

    def document(self, station: Station, schedule: Schedule[Group], elapsed_s: float) -> SensorDocument:
        """Return the part of the status document that is the same for each of the group's sensors.

        Args:
            station: the line's counters for the group's address.
            schedule: the schedule that the group is in.
            elapsed_s: seconds since the start.
        """
        reply_timeout, times = station.reply_timeout, station.reply_timeout.times
        return {
            "state": self._state.value,
            "requests": station.requests,
            "replies": station.replies,
            "timeouts": station.timeouts,
            "crc_errors": station.crc_errors,
            "exceptions": self._exceptions.total(),
            "exception_codes": {str(code): count for code, count in self._exceptions.items()},
            "late_replies": station.late_replies,
            "second_replies": station.second_replies.count,
            "missed_slots": schedule.missed_slots(self),
            "turn_around_p50_ms": _ms(times.percentile_s(50)),
            "turn_around_p99_ms": _ms(times.percentile_s(99)),
            "lateness_p99_ms": _ms(schedule.lateness(self).percentile_s(99)),
            "wire_share": round(station.busy_s / elapsed_s, 4) if elapsed_s else 0.0,
            "learned": {
                "reply_timeout_ms": _ms(reply_timeout.wait_s(self.reply_timeout_s)),
                "is_slow": self._slow_s > 0,
                "owes_a_reply": station.is_owing,
                "answers_twice": station.second_replies.is_expected,
                "is_retried": self.is_retried,
            },
            "last_cause": self.cause.value if self.cause else None,
            "held": station.held,
            "late_readings": self.late_readings,
            "failures": self.failures,
            "incomplete": self._incomplete,
            "out_of_limits": self._out_of_limits,
        }

    def _enter(self, state: SensorState, why: str) -> None:
        """Change the state and log the change."""
        if state is self._state:
            return
        is_good = state is SensorState.OK
        _log.log(logging.INFO if is_good else logging.WARNING, "%s %s", self.names, why)
        self._state = state


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def groups(bus: Bus) -> list[Group]:
    """Return the sensors of a bus grouped by address, interval and settings, in the order of the file.

    Groups with one address know each other: the later ones send requests whose replies can be told apart.
    """
    protocol = bus.protocol
    assert isinstance(protocol, PolledProtocol)

    def make(sensors: list[Sensor], neighbours: Sequence[Group]) -> Device:
        device = protocol.device([sensor.settings for sensor in sensors], bus.line)
        if neighbours and isinstance(device, SharesAddress):
            device.keep_apart([neighbour.device for neighbour in neighbours])
        return device

    sensors_of: dict[tuple[object, ...], list[Sensor]] = {}
    for sensor in bus.sensors:
        timing = sensor.reply_timeout_s, sensor.retries, sensor.gap_s, sensor.pause_within_reply_s
        key = (sensor.settings.address, sensor.every_s, *timing)
        sensors_of.setdefault(key, []).append(sensor)
    ordered: list[Group] = []
    groups_of: defaultdict[object, list[Group]] = defaultdict(list)
    for (unit, *_), sensors in sensors_of.items():
        group = Group(sensors, partial(make, sensors, tuple(groups_of[unit])))
        groups_of[unit].append(group)
        ordered.append(group)
    return ordered
