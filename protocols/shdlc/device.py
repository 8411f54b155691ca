"""One sensor, polled: it is started if it is idle, and woken if it sleeps.

    read ─┬─ values ──────────────────────────────▶ the result
          ├─ refused, or nothing yet ─▶ start ────▶ no values; the next poll brings them
          └─ silence ─▶ FF, wake-up ──▶ start ────▶ the same (SPS30 alone sleeps)

After power-up a sensor is idle and refuses to be read (SPS30 §5.3.1); that is told as a refusal, with what
was done about it. An SPS30 that measures answers with nothing when it has nothing new: then it is left alone,
but one that never gave a value since it was last silent is told to start, which does no harm.

A serial number that is refused or not answered in several polls is left out for a while: see
`protocols.toolkit.lessons`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from copy import copy
from typing import Final, Self

from protocols.shdlc import frame as frames
from protocols.shdlc.frame import Miso, Mosi, StreamFramer
from protocols.shdlc.models import (
    DEVICE_INFORMATION,
    NO_DATA,
    NOT_ALLOWED,
    READ_MEASURED_VALUES,
    START_MEASUREMENT,
    WAKE_UP,
    error_name,
)
from protocols.shdlc.settings import DEVICE_ERROR, SERIAL_NUMBER, SensorSettings
from protocols.toolkit.errors import DecodeError, DeviceRefusal
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.lessons import Lessons
from protocols.toolkit.polling import Dialogue, LineSettings, NotAsked, PollResult, Request, Values

# A low pulse that activates the UART of a sleeping SPS30 for 100 ms; whatever was sent before it has to be
# over by then (§5.3.5).
PULSE: Final = b"\xff"
_ACTIVE_S: Final = 0.1

_AROUND = 7  # octets of a reply without data

Exchange = Generator[Request, Frame | None, Miso | None]


class Sensor:
    """The device of these settings, all with one address."""

    def __init__(self, sensors: Sequence[SensorSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._first = sensors[0]
        self._model = self._first.model
        self._wants_serial = any(SERIAL_NUMBER in settings.values for settings in sensors)
        self._serial: str | None = None
        self._lessons: Lessons[str] = Lessons()
        self._measures = False

    @property
    def address(self) -> str:
        """Return the address on the line."""
        return self._first.address

    def twin(self) -> Self:
        """Return a device that knows the same, and learns apart from this one."""
        twin = copy(self)
        twin._lessons = self._lessons.twin()
        return twin

    def planned(self) -> list[Request]:
        """Return the requests of the next poll, provided that each is answered."""
        requests = [self._read()]
        if self._wants_serial and self._serial is None:
            requests.append(self._information())
        return requests

    def poll(self, now: float, /) -> Dialogue:
        """Start one poll at `now`, in seconds of a clock that never goes back.

        Raises:
            DecodeError: the reply is that of another model.
        """
        self._lessons.begin(now)
        refusals: list[DeviceRefusal] = []
        try:
            return (yield from self._read_out(refusals))
        except NotAsked:
            return self._result({}, refusals, complete=False)

    def _read_out(self, refusals: list[DeviceRefusal]) -> Dialogue:
        """Read the values, or do what the sensor needs to have them at the next poll."""
        answer = yield from self._exchange(self._read())
        if answer is None:
            self._measures, self._serial = False, None
            if self._model.sleeps:
                yield from self._wake(refusals)
            return self._result({}, refusals, complete=False)
        values = {} if answer.error else self._values(answer)
        if answer.error:
            refusals.append(_refusal(answer, "measured values"))
        if answer.data:
            self._measures = True
        elif answer.error in (NOT_ALLOWED, NO_DATA) or not self._measures:
            yield from self._start(refusals)
        if values and self._wants_serial and self._serial is None and self._lessons.asks_for(SERIAL_NUMBER):
            yield from self._identify(refusals)
        complete = not refusals and (not values or self._serial is not None or not self._wants_serial)
        return self._result(values, refusals, complete=complete)

    def _result(self, values: Values, refusals: list[DeviceRefusal], *, complete: bool) -> PollResult:
        if values and self._serial is not None:
            values = values | {SERIAL_NUMBER: self._serial}
        sensor_values = tuple(
            {name: values[name] for name in sensor.values if name in values} for sensor in self._sensors
        )
        unavailable = self._lessons.named({name: name for name in sensor.values} for sensor in self._sensors)
        return PollResult(sensor_values, complete=complete, refusals=tuple(refusals), left_out=unavailable)

    def _values(self, answer: Miso) -> Values:
        """Return the values of a reply; none if it has no new measurement."""
        if not answer.data:
            return {}
        values = self._model.values(answer.data)
        if values is None:
            raise DecodeError(
                f"{len(answer.data)} octets are not the values of {self._model.name}: compare the model",
                field="measured values",
                value=answer.data.hex(" "),
                data=answer.data,
            )
        return values and values | {DEVICE_ERROR: bool(answer.state & frames.ERROR_FLAG)}

    def _start(self, refusals: list[DeviceRefusal]) -> Generator[Request, Frame | None, None]:
        """Start the measurement; a sensor that already measures refuses, which is as good."""
        answer = yield from self._exchange(
            self._request(START_MEASUREMENT, self._first.form.start, 0, "start of the measurement")
        )
        if answer is None:
            return
        self._measures = answer.error in (0, NOT_ALLOWED)
        if not self._measures:
            refusals.append(_refusal(answer, "start of the measurement"))
        elif not answer.error and refusals:
            refusals[-1] = DeviceRefusal(
                f"{error_name(refusals[-1].code)}; the measurement was started",
                code=refusals[-1].code,
                request="measured values",
            )

    def _wake(self, refusals: list[DeviceRefusal]) -> Generator[Request, Frame | None, None]:
        """Wake the sensor, in case it sleeps, and start the measurement."""
        yield Request(
            data=PULSE,
            framer=StreamFramer,
            accepts=lambda frame: False,
            reply_length=0,
            summary=f"{self._model.name} {self.address}: wake-up pulse",
            is_answered=False,
            pause_s=_ACTIVE_S,
        )
        answer = yield from self._exchange(self._request(WAKE_UP, b"", 0, "wake-up"))
        if answer is not None:
            yield from self._start(refusals)

    def _identify(self, refusals: list[DeviceRefusal]) -> Generator[Request, Frame | None, None]:
        try:
            answer = yield from self._exchange(self._information())
        except NotAsked:
            return
        if answer is None:
            self._lessons.unanswered(SERIAL_NUMBER, is_present=True)
            return
        if answer.error:
            refusals.append(_refusal(answer, "serial number"))
            self._lessons.failed(SERIAL_NUMBER, error_name(answer.error))
            return
        self._lessons.answered([SERIAL_NUMBER])
        self._serial = answer.data.rstrip(b"\0").decode("ascii", "replace")

    def _exchange(self, request: Request) -> Exchange:
        frame = yield request
        return None if frame is None else frames.reply(frame)

    def _read(self) -> Request:
        return self._request(READ_MEASURED_VALUES, self._model.read, 40, "measured values")

    def _information(self) -> Request:
        return self._request(DEVICE_INFORMATION, self._model.serial, 32, "serial number")

    def _request(self, command: int, data: bytes, most: int, purpose: str) -> Request:
        """Return the request of a command whose reply has at most `most` octets of data."""
        message = Mosi(self._first.device_address, command, data)

        def accepts(frame: Frame) -> bool:
            answer = frames.reply(frame)
            if answer is None or frame.direction is Direction.REQUEST:
                return False
            is_whole = not (answer.error and answer.data)  # what is refused brings no data
            return is_whole and (answer.address, answer.command) == (message.address, message.command)

        return Request(
            data=frames.build(message),
            framer=StreamFramer,
            accepts=accepts,
            reply_length=_AROUND,
            summary=f"{self._model.name} {self.address}: {purpose}",
            longest_reply=2 * (_AROUND + most),  # every octet stuffed
            shape=(message.address, command),
        )


def _refusal(answer: Miso, request: str) -> DeviceRefusal:
    return DeviceRefusal(error_name(answer.error), code=answer.error, request=request)
