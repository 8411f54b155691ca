"""What may hang on a bus that nobody knows: the protocols that ship a simulation, and how a device is drawn.

A kind makes the device of a description anew from the seed in it, so a description is enough to repeat it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.simulator.field.wire import Unit
from bridge.simulator.training import batteries, meters, reports, units
from bridge.simulator.training.description import Clock, RandomDevice
from protocols import load
from protocols.dlt645 import simulation as dlt645
from protocols.mbus import simulation as mbus
from protocols.modbus import models as modbus_models
from protocols.modbus.simulation import MODBUS_ASCII, MODBUS_RTU
from protocols.shdlc import simulation as shdlc
from protocols.shdlc.models import MODELS as SHDLC_MODELS
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol, Settings
from protocols.toolkit.simulation import Address, Dialect, alone
from protocols.vedirect import simulation as vedirect

Script = Iterator[tuple[float, bytes]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A kind of device that is asked.

    Attributes:
        protocol: its name in site.toml.
        lines: the line settings that such devices have, the usual ones more than once.
        dialect: the protocol from the devices' side.
        unit: makes the device of a description, whose values change with a clock.
        models: the names of the models; () if there are none.
        weight: how often it is drawn, beside the others.
        values: names of values that each has, where site.toml has to name some.
        native: the address as the protocol's dialect has it, from that in site.toml.
        most: the most of them on one line.
        addresses: returns so many different addresses, as site.toml writes them.
        serials: returns so many different serial numbers by which they can be called too.
        turn_around_s: the least and the greatest time before a reply.
        is_full_duplex: its line has a pair of wires for each direction.
    """

    protocol: str
    lines: tuple[LineSettings, ...]
    dialect: Dialect
    unit: Callable[[RandomDevice, Clock], Unit]
    models: Sequence[str] = ()
    weight: int = 1
    values: tuple[str, ...] = ()
    native: Callable[[str], Address] = str
    most: int = 1
    addresses: Callable[[random.Random, int], Sequence[str]] = lambda chance, count: ("",) * count
    serials: Callable[[random.Random, int], Sequence[str]] = lambda chance, count: ("",) * count
    turn_around_s: tuple[float, float] = (0.002, 0.06)
    is_full_duplex: bool = False

    def keys(self, device: RandomDevice) -> dict[str, object]:
        """Return a sensor's own keys in site.toml that read a device."""
        known_keys = self.record.schema["properties"]
        keys: dict[str, object] = {"values": list(self.values)} if self.values else {}
        if device.address and "address" in known_keys:
            keys["address"] = self.native(device.address)
        if device.model and "model" in known_keys:
            keys["model"] = device.model
        return keys

    @property
    def record(self) -> PolledProtocol[Settings]:
        """Return the protocol."""
        entry = load(self.protocol)
        assert isinstance(entry, PolledProtocol)
        return entry


@dataclass(frozen=True, slots=True)
class Pushing:
    """A kind of device that sends by itself, alone on its line.

    Attributes:
        protocol: its name in site.toml.
        lines: the line settings that such devices have.
        script: what the device of a description sends, as `Wire.play` takes it.
        models: the names of the models; () if there are none.
        weight: how often it is drawn, beside the others.
        addresses: returns so many ids, as site.toml writes them.
    """

    protocol: str
    lines: tuple[LineSettings, ...]
    script: Callable[[RandomDevice], Script]
    models: Sequence[str] = ()
    weight: int = 1
    addresses: Callable[[random.Random, int], Sequence[str]] = lambda chance, count: ("",) * count


Kind = Asked | Pushing


def _lines(*texts: str) -> tuple[LineSettings, ...]:
    return tuple(map(LineSettings.parse, texts))


def _own_line(protocol: str) -> tuple[LineSettings, ...]:
    line = load(protocol).line
    assert line is not None
    return (line,)


def _alone(protocol: str) -> Dialect:
    entry = load(protocol)
    assert isinstance(entry, PolledProtocol)
    return alone(entry.framer)


def _numbers(lowest: int, highest: int, usual: int) -> Callable[[random.Random, int], Sequence[str]]:
    """Return a function that draws addresses: every other time low ones, as installers give them."""

    def draw(chance: random.Random, count: int) -> Sequence[str]:
        most = max(usual, lowest + count) if chance.random() < 0.5 else highest
        return [str(number) for number in sorted(chance.sample(range(lowest, most + 1), count))]

    return draw


def _digits(length: int) -> Callable[[random.Random, int], Sequence[str]]:
    """Return a function that draws numbers of so many digits: at times consecutive ones, as from one box."""

    def draw(chance: random.Random, count: int) -> Sequence[str]:
        first = chance.randrange(10**length - count)
        is_one_box = chance.random() < 0.3
        numbers = range(first, first + count) if is_one_box else chance.sample(range(10**length), count)
        return [f"{number:0{length}}" for number in numbers]

    return draw


def _secondary_addresses(chance: random.Random, count: int) -> Sequence[str]:
    return [
        f"{digits}.{chance.choice(meters.MAKERS)}.{chance.randrange(1, 64)}.{chance.choice(meters.MEDIA)}"
        for digits in _digits(8)(chance, count)
    ]


def _hex_ids(chance: random.Random, count: int) -> Sequence[str]:
    return [chance.randbytes(2).hex() for _ in range(count)]


def _from_two_on(chance: random.Random, count: int) -> Sequence[str]:
    return [str(2 + place) for place in range(count)]


_MODBUS_LINES = _lines(
    *["9600 8N1"] * 5,
    *["19200 8E1"] * 2,
    *["9600 8E1"] * 2,
    "19200 8N1",
    "9600 8N2",
    "4800 8N1",
    "2400 8N1",
    "38400 8N1",
    "115200 8N1",
)
_CHINESE = ("2400 8E1", "2400 8E1", "9600 8E1", "1200 8E1", "4800 8E1")
_ENERGY = ("energy_import",)
_OPTICAL = (0.2, 0.4)  # IEC 62056-21 §6.4.3.1: 0.2 s at least

KINDS: Final[Sequence[Kind]] = (
    Asked(
        "modbus-rtu",
        _MODBUS_LINES,
        MODBUS_RTU,
        units.modbus_rtu,
        models=modbus_models.names(),
        weight=20,
        native=int,
        most=8,
        addresses=_numbers(1, 247, 16),
    ),
    Asked(
        "modbus-ascii",
        _lines("9600 7E1", "9600 8N1", "19200 7E1"),
        MODBUS_ASCII,
        units.modbus_ascii,
        models=modbus_models.names(),
        weight=2,
        native=int,
        most=8,
        addresses=_numbers(1, 247, 16),
    ),
    Asked(
        "mbus",
        _lines("2400 8E1", "2400 8E1", "2400 8E1", "300 8E1", "9600 8E1"),
        mbus.DIALECT,
        meters.mbus,
        weight=6,
        native=int,
        most=8,
        addresses=_numbers(1, 250, 12),
        serials=_secondary_addresses,
        turn_around_s=(0.02, 0.15),
    ),
    Asked(
        "dlt645",
        _lines(*_CHINESE),
        dlt645.DIALECT,
        meters.dlt645_2007,
        weight=4,
        values=_ENERGY,
        most=5,
        addresses=_digits(12),
    ),
    Asked(
        "dlt645-1997",
        _lines(*_CHINESE),
        dlt645.DIALECT,
        meters.dlt645_1997,
        weight=2,
        values=_ENERGY,
        most=5,
        addresses=_digits(12),
    ),
    Asked(
        "iec62056-21",
        _lines("300 7E1"),
        _alone("iec62056-21"),
        meters.iec62056_21,
        models=("mode A", "mode B", "mode C"),
        values=("import_energy",),
        turn_around_s=_OPTICAL,
    ),
    Asked("kamstrup-kmp", _own_line("kamstrup-kmp"), _alone("kamstrup-kmp"), meters.kamstrup_kmp),
    Asked(
        "shdlc",
        _lines("115200 8N1"),
        shdlc.DIALECT,
        units.shdlc,
        models=tuple(SHDLC_MODELS),
        native=int,
        addresses=lambda chance, count: ("0",) * count,
        is_full_duplex=True,
    ),
    Asked(
        "vedirect-hex",
        _own_line("vedirect-hex"),
        vedirect.DIALECT,
        units.vedirect,
        values=("voltage",),
        is_full_duplex=True,
    ),
    Asked("jbd-bms", _lines("9600 8N1"), _alone("jbd-bms"), batteries.jbd, is_full_duplex=True),
    Asked("daly-bms", _lines("9600 8N1"), _alone("daly-bms"), batteries.daly, is_full_duplex=True),
    Asked("jk-bms", _lines("115200 8N1"), _alone("jk-bms"), batteries.jk, is_full_duplex=True),
    Asked(
        "pylontech",
        _lines("115200 8N1", "9600 8N1"),
        batteries.PYLONTECH,
        batteries.pylontech,
        weight=2,
        native=int,
        most=6,
        addresses=_from_two_on,
    ),
    Asked(
        "voltronic-pi30",
        _own_line("voltronic-pi30"),
        _alone("voltronic-pi30"),
        batteries.voltronic,
        is_full_duplex=True,
    ),
    Pushing(
        "plantower", _own_line("plantower"), reports.plantower, models=("pms5003", "pms5003st", "pms3003")
    ),
    Pushing("sds011", _own_line("sds011"), reports.sds011, addresses=_hex_ids),
    Pushing("winsen-active", _own_line("winsen-active"), reports.winsen),
    Pushing("nmea0183", _lines("4800 8N1", "38400 8N1"), reports.nmea0183),
    Pushing("vedirect-text", _own_line("vedirect-text"), reports.vedirect),
    Pushing("dsmr", _lines("115200 8N1"), reports.dsmr, addresses=_digits(14)),
)
KINDS_BY_PROTOCOL: Final = {kind.protocol: kind for kind in KINDS}
