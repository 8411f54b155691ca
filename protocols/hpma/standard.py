"""Honeywell HPMA115S0, the standard version: two masses, told unasked once a second; 9600 8N1."""

from __future__ import annotations

from typing import Final

from protocols.hpma.frame import REPORT_LENGTH, STANDARD, UNITS, ReportListener, StreamFramer, describer
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Protocol, without_models
from protocols.toolkit.pushing import ListeningKeys, address_of

KEYS: Final = ListeningKeys({name: UNITS[name] for name in STANDARD})

PROTOCOL = Protocol(
    name="honeywell-hpma",
    title="Honeywell HPMA115S0",
    spec="Honeywell HPM Series datasheet 32322550, standard version",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=without_models(lambda: describer(STANDARD)),
    schema=KEYS.schema,
    settings=KEYS.parse,
    device=None,
    listener=lambda: ReportListener(STANDARD),
    address_of=address_of,
    units_of=KEYS.units_of,
    longest=REPORT_LENGTH,
    bytesizes=frozenset({8}),
)
