"""JBD battery management systems (also sold as Xiaoxiang and Overkill Solar), one file for each thing.

frame      the frame on the wire, its checksum, and how it is found in a stream
registers  the registers and their values
device     one BMS, polled; its keys; and a simulated one
overhearing  the same, where a foreign master polls it

The battery is polled, alone on its line; 9600 8N1.
"""

from __future__ import annotations

from protocols.jbd_bms.device import KEYS, Bms
from protocols.jbd_bms.frame import MAX_LENGTH, StreamFramer
from protocols.jbd_bms.overhearing import BmsOverhearer
from protocols.jbd_bms.registers import describe
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol
from protocols.toolkit.scanning import Scanning


def _scanning() -> Scanning:
    from protocols.toolkit.sole_device import SoleDevice  # a service never searches

    return SoleDevice(
        protocol="jbd-bms",
        lines=(LineSettings(9600, 8, "N", 1),),
        requests=lambda line: Bms([KEYS.parse({"values": ["voltage", "hardware"]})], line).planned(),
        fields_of=describe,
        ranges={"voltage": (1.0, 1000.0), "state_of_charge": (0.0, 100.0)},
        identity={"type": "hardware"},
    ).scanning


PROTOCOL = PolledProtocol(
    name="jbd-bms",
    title="JBD BMS",
    spec="JBD general protocol for RS-485, RS-232 and UART, V4",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    device=Bms,
    overhearer=BmsOverhearer,
    candidates=KEYS.candidates,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
    scanning=_scanning,
)
