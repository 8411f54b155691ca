"""VE.Direct HEX: the protocol `vedirect-hex`. The device is polled; 19200 8N1."""

from __future__ import annotations

from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Fields, PolledProtocol
from protocols.toolkit.scaling import Missing
from protocols.toolkit.scanning import Scanning
from protocols.vedirect import hex_frame as frames
from protocols.vedirect.device import VictronDevice
from protocols.vedirect.hex_frame import LONGEST, StreamFramer
from protocols.vedirect.registers import BY_NUMBER, SIZES, is_missing
from protocols.vedirect.settings import SENSOR_SCHEMA, parse_settings


def describe(frame: Frame) -> Fields:
    """Return the command and its payload; of a known register its number and value."""
    message = frames.parse(frame)
    content = frames.register_content(message)
    if content is None:
        return {"command": message.command, "payload": message.data.hex()}
    fields: Fields = {
        "command": message.command,
        "register": content.register,
        "flags": content.flags,
        "payload": content.value.hex(),
    }
    if content.flags:
        fields["error"] = frames.error_name(content.flags)
    register = BY_NUMBER.get(content.register)
    value = register.value(content.value) if register and content.value else None
    if len(content.value) in SIZES and not isinstance(value, Missing) and not is_missing(content.value):
        fields["unsigned"] = int.from_bytes(content.value, "little")
        fields["signed"] = int.from_bytes(content.value, "little", signed=True)
    if register is not None and value is not None and not isinstance(value, Missing):
        fields |= {"name": register.name, "value": value}
        fields |= {"unit": register.meaning.unit} if register.meaning.unit else {}
    return fields


def _scanning() -> Scanning:
    from protocols.vedirect.scanning import SCANNING  # a service never searches

    return SCANNING


PROTOCOL = PolledProtocol(
    name="vedirect-hex",
    title="Victron VE.Direct HEX",
    spec='Victron Energy, "BlueSolar HEX protocol MPPT" and those of other devices',
    line=LineSettings(19200),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=SENSOR_SCHEMA,
    settings=parse_settings,
    device=VictronDevice,
    longest=LONGEST,
    bytesizes=frozenset({8}),
    scanning=_scanning,
)
