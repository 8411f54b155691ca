"""Daly battery management systems on a UART, one file for each thing.

frame        the frame on the wire, and how it is found in a stream; blocks of frames that are one reply
commands     the content of the replies
device       one BMS, polled; its keys; and a simulated one
overhearing  the same, where a foreign master polls it

The battery is polled, alone on its line; 9600 8N1.
"""

from __future__ import annotations

from protocols.daly_bms.commands import describe
from protocols.daly_bms.device import KEYS, Bms
from protocols.daly_bms.frame import LENGTH, StreamFramer
from protocols.daly_bms.overhearing import BmsOverhearer
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol
from protocols.toolkit.scanning import Scanning


def _scanning() -> Scanning:
    from protocols.toolkit.sole_device import SoleDevice  # a service never searches

    return SoleDevice(
        protocol="daly-bms",
        lines=(LineSettings(9600, 8, "N", 1),),
        requests=lambda line: Bms([KEYS.parse({"values": ["voltage"]})], line).planned(),
        fields_of=describe,
        ranges={"voltage": (1.0, 1000.0), "state_of_charge": (0.0, 100.0)},
    ).scanning


PROTOCOL = PolledProtocol(
    name="daly-bms",
    title="Daly BMS",
    spec="Daly UART/485 communications protocol V1.2",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    device=Bms,
    overhearer=BmsOverhearer,
    candidates=KEYS.candidates,
    longest=LENGTH,
    bytesizes=frozenset({8}),
    scanning=_scanning,
)
