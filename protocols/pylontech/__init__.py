"""Pylontech batteries on RS-485 (US2000, US3000, UP5000 and relatives), in the words of the maker's document.

Spec: Pylontech, "RS485-protocol-pylon-low-voltage" V3.3 (2018-08-21).

frame    2: requests and replies, and how they are found in a stream
analog   3.5, command 42: voltages, temperatures, current, capacities
alarms   3.7, command 44: what is out of bounds, and which switches are closed
battery  a battery that is asked, and its simulation

The host asks one battery; 115200 8N1, older ones 9600.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from protocols.pylontech.battery import KEYS, Battery, PackSettings, describe
from protocols.pylontech.frame import MAX_LENGTH, StreamFramer
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.keys import is_whole, shown, unknown_keys
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol
from protocols.toolkit.scanning import Scanning

FIRST_ADDRESS: Final = 2  # of the master battery, all switches off

_ADDRESS: Final = {
    "type": "integer",
    "minimum": 1,
    "maximum": 255,
    "default": FIRST_ADDRESS,
    "description": "of the battery: 2 the master, 3 … the others behind it",
}
SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {"address": _ADDRESS, **KEYS.schema["properties"]},
    "required": [],
}


def parse_settings(table: Mapping[str, object]) -> PackSettings:
    """Return the settings that a sensor's own keys mean.

    Raises:
        SettingsError: with every mistake.
    """
    address = table.get("address", FIRST_ADDRESS)
    problems = unknown_keys(table, SCHEMA["properties"])
    if not is_whole(address, 1, 255):
        problems.append(
            (("address",), f"{shown(address)} is not an address of a battery, use 1–255; the master is 2")
        )
    chosen = None
    try:
        chosen = KEYS.parse({key: table[key] for key in ("values",) if key in table})
    except SettingsError as error:
        problems += error.problems
    if chosen is None or problems:
        raise SettingsError(problems)
    assert isinstance(address, int)
    return PackSettings(address, chosen.values, chosen.units)


def _scanning() -> Scanning:
    from protocols.pylontech.scanning import SCANNING  # a service never searches

    return SCANNING


PROTOCOL: Final = PolledProtocol(
    name="pylontech",
    title="Pylontech batteries",
    spec="Pylontech RS485 protocol, low voltage, V3.3",
    line=LineSettings(115200, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=SCHEMA,
    settings=parse_settings,
    device=Battery,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
    scanning=_scanning,
)
