"""Random sensors that send by themselves: what they send, and the silence before each message."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from typing import Final

from bridge.simulator.training.description import RandomDevice
from protocols import plantower as plantower_protocol
from protocols import sds011 as sds011_protocol
from protocols.toolkit import layout
from protocols.toolkit.checksum import CHECKSUMS
from protocols.winsen.frame import GASES, REPORT, build

_PLANTOWER_WORDS: Final = {"pms3003": 9, "pms5003": 13, "pms5003st": 17}  # before the check
_CRC: Final = CHECKSUMS["crc16-arc"].of


def plantower(device: RandomDevice) -> Iterator[tuple[float, bytes]]:
    """Yield the reports of a dust sensor, one a second."""
    chance = device.chance
    count = _PLANTOWER_WORDS[device.model]
    while True:
        fine = sorted(chance.randrange(3, 40) for _ in range(3))
        counts = sorted((chance.randrange(1, 2500) for _ in range(6)), reverse=True)
        words = [*fine, *fine, *counts, 12, 215, 460, 0, 0, 0][:count]
        body = layout.build(plantower_protocol.REPORT, length=2 * count + 2, data=words, check=0)
        yield 0.9, body[:-2] + sum(body[:-2]).to_bytes(2, "big")


def sds011(device: RandomDevice) -> Iterator[tuple[float, bytes]]:
    """Yield the reports of a dust sensor, one a second."""
    chance, name = device.chance, bytes.fromhex(device.address)
    while True:
        pm2_5 = chance.randrange(30, 300)
        fields = {"pm2_5": pm2_5, "pm10": pm2_5 + chance.randrange(200), "id": name, "check": 0}
        report = bytearray(layout.build(sds011_protocol.REPORT, **fields))
        report[-2] = sum(report[2:-2]) & 0xFF
        yield 1.0, bytes(report)


def winsen(device: RandomDevice) -> Iterator[tuple[float, bytes]]:
    """Yield the reports of a gas sensor, one a second."""
    chance = device.chance
    gas = chance.choice([code for code, gas in GASES.items() if gas.unit == "ppm"])
    while True:
        fields = {"unit_code": 3, "decimals": 1, "concentration_raw": chance.randrange(1, 90)}
        yield 1.0, build(REPORT, gas_type=gas, full_scale=5000, **fields)


def nmea0183(device: RandomDevice) -> Iterator[tuple[float, bytes]]:
    """Yield the sentences of a wind sensor or a weather station, one a second."""
    chance = device.chance
    talker = chance.choice(("WI", "II", "VW"))
    while True:
        wind = f"{talker}MWV,{chance.randrange(360):03},R,{chance.uniform(0, 15):.1f},M,A"
        weather = (
            f"{talker}MDA,29.9,I,{chance.uniform(0.98, 1.03):.4f},B,{chance.uniform(5, 25):.1f},C" + "," * 14
        )
        for content in (wind, weather)[: 1 + (talker == "WI")]:
            check = functools.reduce(operator.xor, content.encode())
            yield 0.5, f"${content}*{check:02X}\r\n".encode()


def vedirect(device: RandomDevice) -> Iterator[tuple[float, bytes]]:
    """Yield the blocks of a battery monitor, one a second."""
    chance = device.chance
    serial = f"HQ{chance.randrange(10**8):08}"
    while True:
        fields = {
            "PID": "0x204",
            "V": chance.randrange(11800, 14400),
            "I": chance.randrange(-20000, 20000),
            "SOC": chance.randrange(200, 1000),
            "SER#": serial,
        }
        block = "".join(f"\r\n{label}\t{value}" for label, value in fields.items()) + "\r\nChecksum\t"
        yield 1.0, block.encode() + bytes((-sum(block.encode()) & 0xFF,))


def dsmr(device: RandomDevice) -> Iterator[tuple[float, bytes]]:
    """Yield the telegrams of an electricity meter, one a second."""
    chance = device.chance
    energy = chance.uniform(100, 9999)
    while True:
        power = chance.uniform(0.1, 4)
        energy += power / 3600
        text = (
            "/ISK5\\2M550T-1012\r\n\r\n"
            "1-3:0.2.8(50)\r\n"
            f"0-0:96.1.1({device.address.encode().hex().upper()})\r\n"
            f"1-0:1.8.1({energy:010.3f}*kWh)\r\n"
            f"1-0:1.7.0({power:06.3f}*kW)\r\n"
            f"1-0:32.7.0({chance.uniform(225, 238):05.1f}*V)\r\n!"
        )
        yield 0.9, f"{text}{_CRC(text.encode()):04X}\r\n".encode()
