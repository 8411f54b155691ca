"""How a VE.Direct line is searched: a ping, and the product id. Both change nothing in a device."""

from __future__ import annotations

from typing import Any, Final

from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Request
from protocols.toolkit.scanning import Scanning
from protocols.toolkit.sole_device import SoleDevice
from protocols.vedirect import hex_frame as frames
from protocols.vedirect.hex_frame import PING, PRODUCT_ID, Message, StreamFramer

_PING_REPLY: Final = 0x5
_DONE: Final = 0x1
_ANSWERS: Final = {PING: _PING_REPLY, PRODUCT_ID: _DONE}
_VALUES: Final = ("voltage",)  # which every device has


def _request(command: int, summary: str) -> Request:
    def accepts(frame: Frame) -> bool:
        message = frames.parse(frame)
        return message.command == _ANSWERS[command] and len(message.data) == 2

    return Request(
        data=frames.build(Message(command)),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=len(frames.build(Message(command, bytes(2)))),
        summary=summary,
    )


def _fields(frame: Frame) -> dict[str, Any]:
    """Return the firmware's version of a ping's reply, else the product id."""
    message = frames.parse(frame)
    number = int.from_bytes(message.data, "little")
    name = "version" if message.command == _PING_REPLY else "product"
    return {name: f"{number:04X}"}


SCANNING: Final[Scanning] = SoleDevice(
    protocol="vedirect-hex",
    lines=(LineSettings(19200),),
    requests=lambda line: [_request(PING, "ping"), _request(PRODUCT_ID, "product id")],
    fields_of=_fields,
    identity={"version": "version", "type": "product"},
    keys=lambda fields: {"values": list(_VALUES)},
).scanning
