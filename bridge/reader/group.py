"""The sensors of a bus that are polled together, and the status of each.

Sensors share a device if they have its address and are asked in the same way: their reads are coalesced,
and what a poll brings is split again. They share its fate too: counters of the line are those of the
address.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from bridge.causes import Cause, Diagnosis, Suspicion, diagnosis, of_refusal
from bridge.line import Patience
from bridge.reader.belated import UnansweredPolls
from bridge.reader.doubt import doubts, explained
from bridge.reader.learning import lessons
from bridge.reader.schedule import SILENT_AFTER, Schedule
from bridge.reader.shortfall import Shortfall
from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.polling import Device, PollResult, TellsLessons

if TYPE_CHECKING:
    from bridge.config import Sensor
    from bridge.errors import NoReply
    from bridge.line.station import Station
    from bridge.status.documents import SensorDocument

_log = logging.getLogger(__name__)

_LONGEST_RETRY_S = 3600.0  # for a sensor whose protocol fails
_SAID_AFTER = 3  # second replies: one may be anybody's


class SensorState(Enum):
    """What a sensor did when it was last asked."""

    NEVER = "never"  # no answer yet, and not yet given up
    OK = "ok"
    SILENT = "silent"
    PARTLY = "partly"  # it answers, and some value is missing or in doubt
    REFUSING = "refusing"  # it answers, but will not give its values
    FAILED = "failed"  # its protocol failed at what it said, in a way that nobody foresaw


class Group:
    """Sensors served by one device. The group's settings are those of each of them.

    Args:
        sensors: at least one, with equal settings.
        make: makes the device that serves them.
    """

    def __init__(self, sensors: list[Sensor], make: Callable[[], Device]) -> None:
        self.sensors = tuple(sensors)
        self._units = [sensor.settings.units for sensor in sensors]
        self._shortfalls = [Shortfall(sensor.name) for sensor in sensors]
        self._make = make
        self._take_new_device()
        self.address = self.device.address
        self.failures = 0  # polls in a row that failed in a way that nobody foresaw
        self.late_readings = 0
        self.unanswered_polls = UnansweredPolls()
        first = sensors[0]
        self.every_s = first.every_s
        self.aligned = first.aligned
        self.reply_timeout_s = first.reply_timeout_s
        self.retries = first.retries
        self.gap_s = first.gap_s
        self.pause_within_reply_s = first.pause_within_reply_s
        self.is_retried = True  # a request it leaves unanswered; not after the first, until it answers
        self._state = SensorState.NEVER
        self._misses = self._refused = 0  # polls in a row
        self._suspicion = Suspicion()
        self._last_cause: Cause | None = None  # of the last request that was left unanswered
        self._said: Diagnosis | None = None  # of its present state, as the log has it
        self._refusal: DeviceRefusal | None = None  # the last one
        self._slow_s = 0.0
        self._exceptions: Counter[int] = Counter()  # by the device's own code
        self._incomplete = self._out_of_limits = 0

    @property
    def names(self) -> str:
        """Return the names of the sensors, for the log."""
        return ", ".join(sensor.name for sensor in self.sensors)

    def forget(self) -> None:
        """Replace the device by one that has learned nothing, and reset the sensors' state."""
        self._take_new_device()
        self.unanswered_polls.clear()
        self.is_retried = True
        self.failures = self._misses = self._refused = 0
        self._slow_s = 0.0
        self._shortfalls = [Shortfall(sensor.name) for sensor in self.sensors]
        self._suspicion.clear()
        self._said = self._refusal = None
        self._state = SensorState.NEVER

    def _take_new_device(self) -> None:
        self.device = self._make()
        self._device_lessons = self.device.lessons if isinstance(self.device, TellsLessons) else tuple

    def tries(self, patience: Patience) -> list[Patience]:
        """Return the tries of one request of a poll of that kind."""
        if patience in (Patience.USUAL, Patience.BRIEF):
            return [patience] * (1 + self.retries if self.is_retried else 1)
        if self.is_retried:
            return [Patience.USUAL] * (1 + self.retries)
        return [patience] if patience is Patience.PROBE else [Patience.WAKE, patience.after_waking]

    def retry_at(self, now: float) -> float:
        """Return when to ask again a device whose protocol failed; -inf if it did not fail."""
        if not self.failures:
            return -math.inf
        return now + min(_LONGEST_RETRY_S, max(1.0, self.every_s) * 2.0 ** min(self.failures, 20))

    def unanswered(self, missing: NoReply) -> None:
        """Record why a request was left unanswered."""
        self._last_cause = missing.cause
        self._suspicion.add(missing.cause, missing.detail)
        self.is_retried = False

    def missed(self) -> None:
        """Record a poll without any answer."""
        self._misses += 1
        if self._misses >= SILENT_AFTER:
            self._enter(SensorState.SILENT, self._suspicion.diagnosis or diagnosis(Cause.SILENT))

    def failed(self, error: Exception) -> None:
        """Record an unforeseen failure of the protocol; its traceback is logged once."""
        self.failures += 1
        self._said = diagnosis(Cause.FAILED, str(error))
        if self._state is not SensorState.FAILED:
            _log.error("%s %s", self._place, self._said, exc_info=error)
        self._state = SensorState.FAILED

    def waits(self, slow_s: float) -> None:
        """Record and log how long replies are waited for.

        Args:
            slow_s: the wait in seconds where it is longer than the configured `reply_timeout`; else 0.
        """
        if slow_s and not self._slow_s:
            _log.warning("%s %s", self._place, self._late(slow_s))
        elif self._slow_s and not slow_s:
            _log.info("%s answers within reply_timeout again", self.names)
        self._slow_s = slow_s

    def answers_twice(self, count: int) -> None:
        """Record that its address answered one request twice, for the time with that number."""
        if count == _SAID_AFTER:
            _log.warning("%s %s", self._place, diagnosis(Cause.TWO_DEVICES))

    def doubted(self) -> None:
        """Record that a poll was answered by nobody knows whom."""
        self._misses = 0
        self._incomplete += 1
        self.unanswered_polls.clear()

    def answered(self, result: PollResult, *, is_interrupted: bool = False) -> None:
        """Record a poll that was answered, at least in part.

        A device counts as refusing from the third refused poll in a row on: one refusal is no state.
        """
        self._heard()
        self._exceptions.update(refusal.code for refusal in result.refusals)
        self._incomplete += not result.complete
        self._out_of_limits += result.out_of_limits
        if result.refusals:
            self._refusal = result.refusals[0]
        if result.refusals and not any(result.values):
            self._refused += 1
            if self._refused >= SILENT_AFTER:
                self._enter(SensorState.REFUSING, of_refusal(result.refusals[0]))
        else:
            self._refused = 0
            self._enter(SensorState.OK, None)
        if is_interrupted:  # what it does not bring says nothing of the device
            return
        for place, shortfall in enumerate(self._shortfalls):
            self._judge(shortfall, place, result)
            if self._state is SensorState.OK:
                shortfall.log(was_read=result.complete)

    def _judge(self, shortfall: Shortfall, place: int, result: PollResult) -> None:
        """Take note of what a poll did not give of one sensor, and of what cannot be."""
        left_out = result.left_out[place] if result.left_out else {}
        missing = result.missing[place] if result.missing else {}
        reread = partial(result.reread, place)
        in_doubt = doubts(result.values[place], self._units[place], reread)
        shortfall.take(explained(missing, self._units[place], reread), in_doubt, left_out)

    def heard_late(self) -> None:
        """Record that the device was heard after a poll that seemed missed."""
        self._misses = 0
        self._suspicion.clear()

    def made_no_sense(self, error: Exception) -> None:
        """Record that a poll was answered by what makes no sense."""
        self._heard()
        self._enter(SensorState.REFUSING, diagnosis(Cause.NONSENSE, str(error)))

    def _heard(self) -> None:
        self._misses = self.failures = 0
        self._suspicion.clear()

    # What is said of it.

    def left_out(self, sensor: Sensor) -> Mapping[str, str]:
        """Return the values of a sensor that its last poll did not give, each with the reason."""
        return self._shortfall(sensor).missing

    def doubts(self, sensor: Sensor) -> Mapping[str, str]:
        """Return a sentence for each value of a sensor that cannot be."""
        return self._shortfall(sensor).doubts

    def state(self, sensor: Sensor) -> SensorState:
        """Return the state of a sensor: that of its device, or `PARTLY`."""
        is_short = self._state is SensorState.OK and not self._shortfall(sensor).is_empty
        return SensorState.PARTLY if is_short else self._state

    def trouble(self, sensor: Sensor, station: Station) -> str | None:
        """Return what is wrong with a sensor, with the next step; None if nothing is."""
        if self._said is not None:
            return str(self._said)
        if self._state is SensorState.OK and station.second_replies.is_expected:
            return str(diagnosis(Cause.TWO_DEVICES))
        if sentence := self._shortfall(sensor).sentence:
            refusal = self._refusal
            is_refused = refusal and any(reason in str(refusal) for reason in self.left_out(sensor).values())
            return f"{sentence}: {of_refusal(refusal).next_step}" if refusal and is_refused else sentence
        return str(self._late(self._slow_s)) if self._slow_s else None

    def lessons(self, sensor: Sensor, station: Station) -> list[str]:
        """Return what was learned of a sensor, in sentences."""
        return list(
            lessons(
                station.reply_timeout,
                self.reply_timeout_s,
                self._shortfall(sensor).left_out,
                self._device_lessons(),
                is_retried=self.is_retried,
            )
        )

    def _shortfall(self, sensor: Sensor) -> Shortfall:
        return self._shortfalls[self.sensors.index(sensor)]

    def _late(self, slow_s: float) -> Diagnosis:
        detail = f"waited for up to {slow_s:.1f} s, where reply_timeout says {self.reply_timeout_s:g} s"
        return diagnosis(Cause.LATE, detail)

    @property
    def _place(self) -> str:
        return f"{self.names} (address {self.address})" if self.address else self.names

    def document(self, station: Station, schedule: Schedule[Group], elapsed_s: float) -> SensorDocument:
        """Return the part of the status document that is the same for each of the group's sensors.

        Args:
            station: the line's counters for the group's address.
            schedule: the schedule that the group is in.
            elapsed_s: seconds since the start.
        """
        reply_timeout, times = station.reply_timeout, station.reply_timeout.times
        return {
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
            "last_cause": self._last_cause.value if self._last_cause else None,
            "held": station.held,
            "late_readings": self.late_readings,
            "failures": self.failures,
            "incomplete": self._incomplete,
            "out_of_limits": self._out_of_limits,
        }

    def _enter(self, state: SensorState, said: Diagnosis | None) -> None:
        """Change the state, if it is another one or has another cause; None: it answers."""
        is_same_cause = (said and said.cause) == (self._said and self._said.cause)
        is_same = state is self._state and is_same_cause
        self._state, self._said = state, said
        if not is_same:
            level = logging.INFO if said is None else logging.WARNING
            _log.log(level, "%s %s", self._place, said or "answers")


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)
