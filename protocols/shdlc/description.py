"""Frames into fields: for people, and for what reads `decode --json`."""

from __future__ import annotations

from protocols.shdlc import frame as frames
from protocols.shdlc.frame import Miso, Mosi
from protocols.shdlc.models import (
    DEVICE_INFORMATION,
    MODELS,
    READ_MEASURED_VALUES,
    READ_VERSION,
    error_name,
)
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import Fields

_VERSION = 7  # octets of a version


class Describer:
    """Describes the frames of one stream.

    A frame that reads both as a request and as a reply is the reply if that command was just sent to that
    address, else a request.

    Args:
        model: the model whose values the replies hold; None: an SPS30.
    """

    def __init__(self, model: str | None = None) -> None:
        self._model = MODELS["sps30" if model is None else model]
        self._last_request: tuple[int, int] | None = None

    def __call__(self, frame: Frame) -> Fields:
        """Return address, command, state and data of a frame, and the values in it."""
        request, reply = frames.request(frame), frames.reply(frame)
        if reply is not None and (request is None or self._last_request == (reply.address, reply.command)):
            self._last_request = None
            return self._reply(reply)
        assert request is not None, "a framer finds requests and replies"
        self._last_request = request.address, request.command
        return _fields(request)

    def _reply(self, reply: Miso) -> Fields:
        fields = _fields(reply) | {"state": reply.state}
        if reply.error:
            return fields | {"error_name": error_name(reply.error)}
        if reply.command == READ_MEASURED_VALUES:
            return fields | (self._model.values(reply.data) or {})
        if reply.command == DEVICE_INFORMATION:
            return fields | {"information": reply.data.rstrip(b"\0").decode("ascii", "replace")}
        if reply.command == READ_VERSION and len(reply.data) == _VERSION:
            major, minor, _, *version_octets = reply.data
            hardware, protocol = version_octets[:2], version_octets[2:]
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
