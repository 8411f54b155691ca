"""Frames into fields: for people, and for what reads `decode --json`."""

from __future__ import annotations

from protocols import Fields
from protocols.framing import Frame
from protocols.shdlc import frame as frames
from protocols.shdlc.frame import Miso, Mosi
from protocols.shdlc.models import (
    DEVICE_INFORMATION,
    MODELS,
    READ_MEASURED_VALUES,
    READ_VERSION,
    error_name,
)

_VERSION = 7  # octets of a version


class Describer:
    """Describes the frames of one stream.

    A frame that reads both as a request and as a reply is the reply if that command was just sent to that
    address, else a request.

    Args:
        model: whose values the replies bring; None: an SPS30.
    """

    def __init__(self, model: str | None) -> None:
        self._model = MODELS["sps30" if model is None else model]
        self._asked: tuple[int, int] | None = None

    def __call__(self, frame: Frame) -> Fields:
        """Return address, command, state and data of a frame, and the values in it."""
        asked, told = frames.request(frame), frames.reply(frame)
        if told is not None and (asked is None or self._asked == (told.address, told.command)):
            self._asked = None
            return self._reply(told)
        assert asked is not None, "a framer finds requests and replies"
        self._asked = asked.address, asked.command
        return _fields(asked)

    def _reply(self, told: Miso) -> Fields:
        fields = _fields(told) | {"state": told.state}
        if told.error:
            return fields | {"error_name": error_name(told.error)}
        if told.command == READ_MEASURED_VALUES:
            return fields | (self._model.values(told.data) or {})
        if told.command == DEVICE_INFORMATION:
            return fields | {"information": told.data.rstrip(b"\0").decode("ascii", "replace")}
        if told.command == READ_VERSION and len(told.data) == _VERSION:
            major, minor, _, *others = told.data
            hardware, protocol = others[:2], others[2:]
            return fields | {
                "firmware": f"{major}.{minor}",
                "hardware": "{}.{}".format(*hardware),
                "protocol": "{}.{}".format(*protocol),
            }
        return fields


def _fields(message: Mosi | Miso) -> Fields:
    return {
        "address": message.address,
        "command": message.command,
        "data_length": len(message.data),
        "data": message.data.hex(),
    }
