"""Frames that an integrator declares in site.toml: a sensor that nobody has met, without Python.

types         how the octets of a field are written
declaration   what was declared, and where everything stands in the frame
frame         that, as a Construct layout and a Shape: found, parsed and built as our own protocols are
octets        octets and checksums as people write them
frame_keys    [bus.NAME.frame]: every key, every mistake
field_keys    [bus.NAME.frame.fields]
request_keys  [bus.NAME.request]
sensor        a sensor that pushes or is polled, and what it says of itself in site.toml
simulation    the other side of a request: a sensor that answers

Each bus declares its own frames, so each makes a protocol of its own. Without a declaration there is nothing
to find or to decode: only its keys are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from protocols.declared.frame import DeclaredFrame, either
from protocols.declared.frame_keys import FRAME_SCHEMA, parse_frame
from protocols.declared.octets import order_of
from protocols.declared.request_keys import REQUEST_SCHEMA, parse_request
from protocols.declared.sensor import Declared, DeclaredDevice, DeclaredListener
from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Fields, PolledProtocol, Protocol, ProtocolTemplate, PushingProtocol
from protocols.toolkit.pushing import ALIAS, ALIAS_SCHEMA, PushingSettings
from protocols.toolkit.search import SearchFramer

BUS_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {"frame": FRAME_SCHEMA, "request": REQUEST_SCHEMA},
    "required": ["frame"],
}
_SENSOR_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {
        "id": {"type": "string", "description": "The id in its frames, if a field is the id."},
        "values": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "description": "The values to keep. Default: all.",
        },
        ALIAS: ALIAS_SCHEMA,
    },
    "required": [],
}


def declaration(table: Mapping[str, object]) -> Declared:
    """Return the frame and the request that a bus declares.

    Args:
        table: the keys `frame` and `request` of the bus.

    Raises:
        SettingsError: every mistake.
    """
    problems: list[Problem] = []
    frame = None
    if "frame" in table:
        frame = parse_frame(table["frame"], ("frame",), problems)
    else:
        problems.append((("frame",), "is missing: what its sensors send, write [bus.NAME.frame]"))
    request = None
    if "request" in table:
        frame_table = table.get("frame")
        order = order_of(frame_table, "big", (), []) if isinstance(frame_table, Mapping) else "big"
        request = parse_request(table["request"], frame.id if frame else None, order, ("request",), problems)
    if frame is None or problems:
        raise SettingsError(problems)
    return Declared(DeclaredFrame(frame), DeclaredFrame(request) if request else None)


def declared_by(table: Mapping[str, object]) -> Protocol:
    """Return the protocol that a bus declares; arguments and errors are those of `declaration`."""
    return protocol_of(declaration(table))


def protocol_of(declarations: Declared) -> Protocol:
    """Return the protocol of a declaration."""
    frame, request, keys = declarations.frame, declarations.request, declarations.keys
    shape = either(frame.shape, request.shape) if request else frame.shape

    def describe(wire_frame: Frame) -> Fields:
        if request and wire_frame.direction is Direction.REQUEST:
            return {"request": request.sender(request.parse(wire_frame.data))}
        raws = frame.parse(wire_frame.data)
        raw_fields = {name: raw.hex() if isinstance(raw, bytes) else raw for name, raw in raws.items()}
        values, _ = frame.values(raws)
        identity = {"id": frame.sender(raws)} if frame.declared.id else {}
        return {**identity, "raw": raw_fields, "values": values}

    if request is None:
        return PushingProtocol(
            name=PROTOCOL.name,
            title=PROTOCOL.title,
            spec=PROTOCOL.spec,
            line=PROTOCOL.line,
            framer=lambda: SearchFramer(shape),
            describer=lambda: describe,
            schema=keys.schema,
            settings=keys.parse,
            listener=lambda: DeclaredListener(declarations),
            longest=shape.longest,
            bus_schema=PROTOCOL.bus_schema,
        )

    def device(sensors: Sequence[PushingSettings], line: LineSettings) -> DeclaredDevice:
        return DeclaredDevice(declarations, sensors, line)

    return PolledProtocol(
        name=PROTOCOL.name,
        title=PROTOCOL.title,
        spec=PROTOCOL.spec,
        line=PROTOCOL.line,
        framer=lambda: SearchFramer(shape),
        describer=lambda: describe,
        schema=keys.schema,
        settings=keys.parse,
        device=device,
        longest=shape.longest,
        bus_schema=PROTOCOL.bus_schema,
    )


PROTOCOL: Final = ProtocolTemplate(
    name="declared",
    title="frames declared in site.toml",
    spec="the sensor's own, as [bus.NAME.frame] says it",
    line=None,
    schema=_SENSOR_SCHEMA,
    bus_schema=BUS_SCHEMA,
    declared_by=declared_by,
)
