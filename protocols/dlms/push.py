"""DLMS/COSEM push: the protocol `dlms-push`. The meter pushes, every 2 to 10 s; 2400 8N1 or another.

The line is told by the grid operator: Norway, Sweden and Austria's M-Bus 2400 8E1 or 8N1, Kamstrup's and
Landis+Gyr's modules 9600 to 115200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from protocols.dlms.assembly import LONGEST, StreamFramer
from protocols.dlms.description import MEASURED_AT, MeterListener, describer, listener_with
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.obis import SELECTABLE, UNITS, unit_of
from protocols.toolkit.protocol import PushingProtocol
from protocols.toolkit.pushing import Identity, PushingKeys, PushingSettings

_KEYS: Final = PushingKeys(
    units={**UNITS, MEASURED_AT: ""},
    identity=Identity(
        form=re.compile(r"[!-~]{1,64}"),
        what="the meter's number as it sends it, or its system title",
        example="7359992890941742",
        is_optional=True,
    ),
    others=SELECTABLE,
    unit_of=unit_of,
)


def _with_keys(keys: Mapping[str, MeterKey]) -> PushingProtocol[PushingSettings]:
    return replace(PROTOCOL, listener=listener_with(keys.values()))


PROTOCOL: Final = PushingProtocol(
    name="dlms-push",
    title="DLMS/COSEM push",
    spec="IEC 62056-46, -5-3 and -6-2 (DLMS UA Green Book 8, Blue Book 12); IEC 62056-7-3 on M-Bus",
    line=None,
    framer=StreamFramer,
    describer=describer,
    schema=_KEYS.schema,
    settings=_KEYS.parse,
    listener=MeterListener,
    longest=LONGEST,
    bytesizes=frozenset({8}),
    with_keys=_with_keys,
)
