"""Kamstrup KMP: the catalogue's entry. The host asks for up to eight registers at a time; 1200 8N2."""

from __future__ import annotations

from typing import Final

from protocols.kamstrup_kmp.frame import MAX_LENGTH, StreamFramer
from protocols.kamstrup_kmp.meter import Meter, describe
from protocols.kamstrup_kmp.quantities import QUANTITIES, units_of
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Protocol, without_models
from protocols.toolkit.value_list import ValueKeys

KEYS: Final = ValueKeys(
    units={name: quantity.unit for name, quantity in QUANTITIES.items()},
    unusual=tuple(name for name, quantity in QUANTITIES.items() if not quantity.is_usual),
)

PROTOCOL: Final = Protocol(
    name="kamstrup-kmp",
    title="Kamstrup meters, KMP",
    spec="Kamstrup KMP protocol, GetRegister",
    line=LineSettings(1200, 8, "N", 2),
    framer=StreamFramer,
    describer=without_models(lambda: describe),
    schema=KEYS.schema,
    settings=KEYS.parse,
    device=Meter,
    address_of=lambda settings: Meter.address,
    units_of=lambda settings: units_of(settings.values),
    reply_timeout_s=2.0,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
)
