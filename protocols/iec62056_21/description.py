"""Messages into fields: for people, and for what reads `decode --json`."""

from __future__ import annotations

from typing import Any

from protocols.iec62056_21 import frame as frames
from protocols.iec62056_21.data import data_sets, readings, values
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import Fields


def describe(frame: Frame) -> Fields:
    """Return the fields of a message: its data as written, and the values in our names and units."""
    data = frame.data
    address, acknowledged = frames.opened(data), frames.acknowledged(data)
    if address is not None:
        return {"device_address": address}
    if acknowledged is not None:
        return dict(zip(("protocol", "baud_char", "mode"), acknowledged, strict=True))
    fields: Fields = {}
    if identification := frames.identification(data):
        fields["manufacturer"] = identification.manufacturer
        fields["baud_char"] = identification.baud_char
        fields["identification"] = identification.text
    else:
        if command := frames.command(data):
            fields["command"] = command
        fields["bcc"] = data[-1]
    return fields | _data_fields(frames.data_of(data))


def _data_fields(text: str) -> Fields:
    sets = list(data_sets(text))
    if not sets:
        return {}
    meter_readings = readings(sets)
    texts_by_address: dict[str, Any] = {
        address: texts[0] if len(texts) == 1 else list(texts) for address, texts in sets
    }
    return {
        "data": texts_by_address,
        "values": values(meter_readings),
        "units": {reading.name: reading.unit for reading in meter_readings if reading.unit},
    }
