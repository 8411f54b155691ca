"""A random bus from a number: the kind of devices, how many, their settings, and what is wrong.

Half of the buses are healthy. The others have one fault: of the wires, of one device, two devices on one
address, or another master at work.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bridge.simulator.training.catalogue import KINDS, KINDS_BY_PROTOCOL, Asked, Kind
from bridge.simulator.training.description import RandomBus, RandomDevice
from protocols.toolkit.polling import LineSettings

SWAPPED_PAIR: Final = "its pair is swapped"
WRONG_PARITY: Final = "its parity is another one"
OTHER_SPEED: Final = "its speed is another one"
DAMAGED_REPLIES: Final = "one reply in five is damaged"
SLOW: Final = "it answers late"
SHARED_ADDRESS: Final = "another device has its address"

NO_TERMINATION: Final = "the line is not terminated"
NOISE: Final = "noise"
ECHO: Final = "the adapter hears itself"

FOREIGN_MASTER: Final = "another master"
MASTERED: Final = ("modbus-rtu", "modbus-ascii", "mbus", "dlt645", "dlt645-1997")  # what another master asks
_OF_WIRES: Final = (NO_TERMINATION, NOISE, ECHO)
_OF_DEVICES: Final = (SWAPPED_PAIR, WRONG_PARITY, OTHER_SPEED, DAMAGED_REPLIES, SLOW)
_OF_SOLE_DEVICES: Final = (SWAPPED_PAIR, DAMAGED_REPLIES, SLOW)
_HEALTHY: Final = 0.5
_MIXED: Final = 0.15  # of the Modbus buses have meters of DL/T 645 too
_SPEEDS: Final = (2400, 4800, 9600, 19200)
_PARITIES: Final = {"N": "E", "E": "N", "O": "E"}


def random_bus(seed: int, *, devices: int | None = None, protocol: str | None = None) -> RandomBus:
    """Return the bus of a number, always the same.

    Args:
        seed: the number.
        devices: how many there shall be, where the protocol allows so many on one line; None: that is drawn.
        protocol: their protocol, by its name in site.toml; None: that is drawn.

    Raises:
        KeyError: no device of that protocol can be simulated.
    """
    chance = random.Random(seed)  # noqa: S311 - a bus that can be repeated, no secret
    kind = KINDS_BY_PROTOCOL[protocol] if protocol else _drawn_kind(chance)
    line = chance.choice(kind.lines)
    most = kind.most if isinstance(kind, Asked) else 1
    count = min(devices or chance.randint(1, most), most)
    drawn_devices = _devices(kind, line, count, chance, f"{seed}")
    is_mixed = kind.protocol == "modbus-rtu" and count > 1 and chance.random() < _MIXED
    if is_mixed and not protocol:
        drawn_devices[-1:] = _devices(KINDS_BY_PROTOCOL["dlt645"], line, 1, chance, f"{seed}/meter")
    bus = RandomBus(seed, line, tuple(drawn_devices))
    return bus if chance.random() < _HEALTHY or not isinstance(kind, Asked) else _spoilt(bus, kind, chance)


def _drawn_kind(chance: random.Random) -> Kind:
    return chance.choices(KINDS, [kind.weight for kind in KINDS])[0]


def _devices(
    kind: Kind, line: LineSettings, count: int, chance: random.Random, seed: str
) -> list[RandomDevice]:
    addresses = kind.addresses(chance, count)
    serials = kind.serials(chance, count) if isinstance(kind, Asked) else ("",) * count
    return [
        RandomDevice(
            kind.protocol,
            address,
            line,
            f"{seed}/{kind.protocol}/{place}",
            chance.choice(kind.models) if kind.models else "",
            serial,
        )
        for place, (address, serial) in enumerate(zip(addresses, serials, strict=True))
    ]


def _spoilt(bus: RandomBus, kind: Asked, chance: random.Random) -> RandomBus:
    """Return a bus with one fault."""
    of_devices = _OF_DEVICES if kind.most > 1 else _OF_SOLE_DEVICES  # those have one setting alone
    faults: list[str] = [*_OF_WIRES, *of_devices, *of_devices]
    faults += [FOREIGN_MASTER] * 2 if kind.protocol in MASTERED else []
    faults += [SHARED_ADDRESS] * 2 if kind.most > 1 and len(bus.devices) > 1 else []
    fault = chance.choice(faults)
    if fault == FOREIGN_MASTER:
        return replace(bus, has_foreign_master=True)
    if fault in _OF_WIRES:
        return replace(bus, fault=fault)
    if fault == SHARED_ADDRESS:
        return replace(bus, devices=_sharing(bus.devices))
    place = chance.randrange(len(bus.devices))
    spoilt_device = replace(bus.devices[place], fault=fault)
    if fault == WRONG_PARITY:
        other_line = replace(bus.line, parity=_PARITIES[bus.line.parity])
        spoilt_device = replace(spoilt_device, line=other_line)
    elif fault == OTHER_SPEED:
        speeds = [speed for speed in _SPEEDS if speed != bus.line.baudrate]
        spoilt_device = replace(spoilt_device, line=replace(bus.line, baudrate=chance.choice(speeds)))
    return replace(bus, devices=(*bus.devices[:place], spoilt_device, *bus.devices[place + 1 :]))


def _sharing(devices: Sequence[RandomDevice]) -> tuple[RandomDevice, ...]:
    """Return the devices, the second of them with the address of the first."""
    first, second, *others = devices
    return (
        replace(first, fault=SHARED_ADDRESS),
        replace(second, protocol=first.protocol, address=first.address, fault=SHARED_ADDRESS),
        *others,
    )
