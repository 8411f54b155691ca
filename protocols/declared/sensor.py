"""A sensor that was declared: what it says of itself in site.toml, and how it is heard or asked.

[[bus.NAME.sensor]]
name = "dust"
id = "17"                     if a field is the id: what stands there in this sensor's frames
values = ["pm2_5", "pm10"]    the values to keep; all if it says nothing
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from protocols.declared.declaration import Field
from protocols.declared.frame import DeclaredFrame
from protocols.declared.request_keys import ID
from protocols.declared.types import Kind
from protocols.toolkit.errors import DecodeError, ProtocolError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult, Request
from protocols.toolkit.pushing import Identity, PushingKeys, PushingSettings, Telegram
from protocols.toolkit.search import SearchFramer


@dataclass(frozen=True, slots=True)
class Declared:
    """The frame that the sensors of a bus send and, if they are polled, the request for it."""

    frame: DeclaredFrame
    request: DeclaredFrame | None

    @property
    def id(self) -> Field | None:
        """Return the field that identifies a sensor: of the frame, or of the request alone."""
        return self.frame.declared.id or (self.request.declared.id if self.request else None)

    @property
    def keys(self) -> PushingKeys:
        """Return the reader of its sensors' keys."""
        return PushingKeys(self.frame.units, _identity(self.id) if self.id else None)


class DeclaredListener:
    """Reads the frames of sensors that push."""

    def __init__(self, declarations: Declared) -> None:
        self._frame = declarations.frame

    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        """Return the telegram of one frame.

        Raises:
            DecodeError: no id stands where one should.
        """
        raws = self._frame.parse(frame.data)
        sender = self._frame.sender(raws)
        if sender is None:
            field = self._frame.declared.id
            assert field is not None
            raise DecodeError("is not an id", field=field.name, value=raws[field.name], data=frame.data)
        return [Telegram(sender, self._frame.values(raws)[0])]


class DeclaredDevice:
    """A polled sensor: one request, answered with one frame."""

    def __init__(
        self, declarations: Declared, sensors: Sequence[PushingSettings], line: LineSettings
    ) -> None:
        assert declarations.request is not None
        self._frame = declarations.frame
        self._sensors = tuple(sensors)
        self._id = sensors[0].id
        field = declarations.request.declared.id
        data = declarations.request.build({ID: field.type.write(self._id)} if field else {})
        self._request = Request(
            data=data,
            framer=lambda: SearchFramer(self._frame.shape),
            accepts=self._accepts,
            reply_length=self._frame.declared.shortest,
            longest_reply=self._frame.declared.longest,
            summary=f"{'id ' + self._id if self._id else 'the sensor'}: {data.hex(' ')}",
        )

    @property
    def address(self) -> str:
        """Return the id of the sensor; "" if it has none."""
        return self._id

    def planned(self) -> list[Request]:
        """Return the one request of each poll."""
        return [self._request]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        frame = yield self._request
        if frame is None:
            return PollResult(tuple({} for _ in self._sensors), complete=False)
        values, out_of_limits = self._frame.values(self._frame.parse(frame.data))
        sensor_values = tuple(sensor.choose(values) for sensor in self._sensors)
        return PollResult(sensor_values, out_of_limits=out_of_limits)

    def _accepts(self, frame: Frame) -> bool:
        """Return whether a frame is from this sensor, or does not say from which it is."""
        try:
            raws = self._frame.parse(frame.data)
        except ProtocolError:
            return False  # another kind of frame: the echo of the request
        return self._frame.sender(raws) in ("", self._id)


_NUMBER = re.compile("0[xX]([0-9A-Fa-f]+)|[0-9]+")


def _identity(field: Field) -> Identity:
    """Return the form of the ids in a field; numbers may also be written as 0x…."""
    kind = field.type
    if kind.kind is Kind.TEXT:
        return _text_identity(field)
    most = 10 ** (2 * kind.size) - 1 if kind.kind is Kind.DIGITS else (1 << 8 * kind.size) - 1

    def normal(text: str) -> str:
        match = _NUMBER.fullmatch(text.strip())
        if match is None:
            return ""
        number = int(match[1], 16) if match[1] else int(match[0])
        return str(number) if number <= most else ""

    return Identity(
        form=re.compile("[0-9]+"),
        what=f"the id in its frames ({field.name}, 0–{most})",
        example="1",
        normal=normal,
    )


def _text_identity(field: Field) -> Identity:
    """Return the form of ids that are texts: those that a frame carries exactly as they are written."""
    kind = field.type

    def normal(text: str) -> str:
        id_text = text.strip()
        octets = id_text.encode()
        return id_text if len(octets) <= kind.size and kind.read(octets) == id_text else ""

    return Identity(
        form=re.compile(".+", re.DOTALL),
        what=f"the id in its frames ({field.name}, at most {kind.size} octets of UTF-8)",
        example="A1"[: kind.size],
        normal=normal,
    )
