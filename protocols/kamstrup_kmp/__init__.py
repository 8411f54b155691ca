"""Kamstrup meters on their optical head (MULTICAL 302, 402, 403, 601, 602 …): KMP, in its document's parts.

Spec: Kamstrup, "KMP protocol description" for MULTICAL; registers and units are numbered as PyKMP lists them.

frame      the data link layer: start, stop, stuffing and CRC, and how frames are found in a stream
registers  6.2.4 GetRegister: what is asked and told, and the numbers in it
quantities the registers that are read, and the units they are brought to
meter      a meter that is asked, and its simulation

The host asks for up to eight registers at a time; 1200 8N2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from protocols.kamstrup_kmp.frame import MAX_LENGTH, StreamFramer
from protocols.kamstrup_kmp.meter import Meter, describe, serial_request
from protocols.kamstrup_kmp.quantities import QUANTITIES, units_of
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol
from protocols.toolkit.scanning import Scanning
from protocols.toolkit.value_list import ValueKeys, ValueSettings

KEYS: Final = ValueKeys(
    units={name: quantity.unit for name, quantity in QUANTITIES.items()},
    unusual=tuple(name for name, quantity in QUANTITIES.items() if not quantity.is_usual),
    address=Meter.address,
)


def _parse_settings(table: Mapping[str, object]) -> ValueSettings:
    """Return the settings in a sensor's own keys, with both units of an energy. Errors as of `KEYS`."""
    settings = KEYS.parse(table)
    return replace(settings, units=units_of(settings.values))


def _scanning() -> Scanning:
    from protocols.toolkit.sole_device import SoleDevice  # a service never searches

    return SoleDevice(
        protocol="kamstrup-kmp",
        lines=(LineSettings(1200, 8, "N", 2),),
        requests=lambda line: [*Meter([_parse_settings({})], line).planned(), serial_request()],
        fields_of=describe,
        identity={"serial": "serial"},
        reply_within_s=1.0,
    ).scanning


PROTOCOL: Final = PolledProtocol(
    name="kamstrup-kmp",
    title="Kamstrup meters, KMP",
    spec="Kamstrup KMP protocol, GetRegister",
    line=LineSettings(1200, 8, "N", 2),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=_parse_settings,
    device=Meter,
    reply_timeout_s=2.0,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
    scanning=_scanning,
)
