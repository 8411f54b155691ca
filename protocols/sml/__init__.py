"""SML 1.04, the Smart Message Language of German electricity meters, one file for each thing.

transport    transport protocol version 1: the frame on the wire, and how it is found in a stream
check        the checksum that frames and messages have
encoding     type-length-value: numbers, octet strings and lists, and nothing else
messages     what the lists of a message mean, and its own checksum
description  messages into values and into fields

A meter pushes, every second or so; 9600 8N1. It is heard by an infrared head on its front. Many
tell whole kilowatt hours and no power until they were given their PIN.
"""

from __future__ import annotations

import re
from typing import Final

from protocols.sml.description import MANUFACTURER, MeterListener, describe
from protocols.sml.transport import LONGEST, StreamFramer
from protocols.toolkit.obis import SELECTABLE, UNITS, unit_of
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PushingProtocol
from protocols.toolkit.pushing import Identity, PushingKeys

_BETWEEN_DIGITS = re.compile(r"[\s:-]")

KEYS: Final = PushingKeys(
    units={**UNITS, MANUFACTURER: ""},
    identity=Identity(
        form=re.compile(r"([0-9a-f]{2})+|[0-9a-f][a-z]{3}[0-9a-f]{2}\d{8}"),
        what="the meter's server id in hexadecimal digits, or the number on its label (1EMH0012784289)",
        example="0a01454d4800004b2d61",
        normal=lambda text: _BETWEEN_DIGITS.sub("", text).lower(),
    ),
    others=SELECTABLE,
    unit_of=unit_of,
)


PROTOCOL = PushingProtocol(
    name="sml",
    title="SML 1.04 electricity meters",
    spec="Smart Message Language 1.04, transport protocol version 1; OBIS codes of IEC 62056-61",
    line=LineSettings(9600),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    listener=MeterListener,
    longest=LONGEST,
    bytesizes=frozenset({8}),
)
