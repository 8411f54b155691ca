"""NMEA 0183: weather stations, anemometers and satellite receivers.

sentence     a sentence on the wire, and how it is found in a stream
amounts      speeds, pressures and temperatures in our units, whichever they are sent in
transducers  XDR: what each transducer is called, and its unit
values       what each sentence tells

The device pushes; 4800 8N1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from protocols.nmea0183.sentence import MAX_LENGTH, StreamFramer, parse
from protocols.nmea0183.transducers import CONVERTED, NAMES, transducers
from protocols.nmea0183.values import UNITS, has_values, position, values
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Fields, PushingProtocol
from protocols.toolkit.pushing import PushingKeys, Telegram
from protocols.toolkit.scanning import Scanning


class SentenceListener:
    """Reads the sentences of the one device on a line."""

    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        """Return the telegram of a sentence; none if no values are taken from its type."""
        sentence = parse(frame.data)
        return [Telegram("", values(sentence))] if has_values(sentence) else []


def describe(frame: Frame) -> Fields:
    """Return talker, type and fields as sent, the position in degrees, and the values with their units."""
    sentence = parse(frame.data)
    fields: Fields = {"talker": sentence.talker, "type": sentence.type, "fields": list(sentence.fields)}
    if sentence.type == "RMC":
        fields["status"] = sentence.text(2)
        fields |= position(sentence, 3)
    sentence_values = values(sentence)
    if not sentence_values:
        return fields
    units = (
        UNITS
        if sentence.type != "XDR"
        else {transducer.name: transducer.unit for transducer in transducers(sentence)}
    )
    return fields | {
        "values": sentence_values,
        "units": {name: units[name] for name in sentence_values if units.get(name)},
    }


def _unit_of(name: str) -> str:
    """Return the unit of a transducer's value, known if its kind is converted to one."""
    return CONVERTED.get(name.partition("_")[0], ("", None))[0]


_KEYS: Final = PushingKeys(units=UNITS, others=NAMES, unit_of=_unit_of)

_LINES: Final = tuple(map(LineSettings.parse, ("4800 8N1", "38400 8N1", "9600 8N1", "115200 8N1")))
PROTOCOL = PushingProtocol(
    name="nmea0183",
    title="NMEA 0183",
    spec="NMEA 0183, IEC 61162-1",
    line=LineSettings(4800),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=_KEYS.schema,
    settings=_KEYS.parse,
    listener=SentenceListener,
    scanning=lambda: Scanning(lines=_LINES),
    longest=MAX_LENGTH,
)
