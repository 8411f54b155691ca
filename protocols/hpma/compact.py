"""Honeywell HPMA115C0, the compact version: four masses, told unasked once a second; 9600 8N1."""

from __future__ import annotations

from typing import Final

from protocols.hpma.frame import COMPACT, REPORT_LENGTH, UNITS, ReportListener, StreamFramer, describer
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Protocol, without_models
from protocols.toolkit.pushing import ListeningKeys, address_of

KEYS: Final = ListeningKeys({name: UNITS[name] for name in COMPACT})

PROTOCOL = Protocol(
    name="honeywell-hpma-compact",
    title="Honeywell HPMA115C0",
    spec="Honeywell HPM Series datasheet 32322550, compact version",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=without_models(lambda: describer(COMPACT)),
    schema=KEYS.schema,
    settings=KEYS.parse,
    device=None,
    listener=lambda: ReportListener(COMPACT),
    address_of=address_of,
    units_of=KEYS.units_of,
    longest=REPORT_LENGTH,
    bytesizes=frozenset({8}),
)
