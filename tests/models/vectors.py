"""Vectors of a model, made up from what a source says.

The replies are built from the registers of the facts, with octets that are all different, so that another
address, order, type or scale in the model would read another value; the values are those that the facts give.
So a vector of the second source proves the map that was taken from the first. Without an id it is the source
with the most facts besides the first.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace

from protocols.modbus import models
from protocols.modbus.device import ModbusDevice
from protocols.modbus.models import Model
from protocols.modbus.pdu import reply_data
from protocols.modbus.registers import ORDERS, TYPES, Register, Table, octets_of
from protocols.modbus.rtu import RequestFramer, SimulatedUnit
from protocols.modbus.serial_line import body
from protocols.modbus.settings import ModbusSettings
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Values
from protocols.toolkit.scaling import Missing
from tests.models.facts import disagreements, facts_of, in_base_unit

_WIDTH = 72  # of the hex text of a reply; a multiple of three
_UNIT = 1
_ATTEMPTS = 200
_SHARE_INVALID = 0.5  # of the registers that have a mark for it, in the vector that shows it
_AROUND = 8  # registers
_LONG = 4  # registers of the longest numbers


def blocks(name: str, source: str | None = None) -> list[str]:
    """Return the [[vector]] blocks of a model."""
    model = models.load(name)
    by_source = facts_of(name).by_source
    if source is None:
        candidates = [*by_source][1:] or [*by_source]
        source = max(candidates, key=lambda candidate: len(by_source[candidate]))
    wrong = {(key, said_by) for key, said_by, _ in disagreements(model)}
    known = {
        key: fact
        for said_by in (*by_source, source)
        for key, fact in by_source[said_by].items()
        if (key, said_by) not in wrong
    }
    registers = {
        register.name: _as_in(register, known.get(register.name, register)) for register in model.registers
    }
    exchanges = [
        exchange
        for unit in _contents(model, registers)
        for exchange in _exchanges(model, registers, unit)
        if exchange[2]
    ]
    at = "vector" if name in models.file_names() else f"variant.{name}.vector"
    return [_block(at, source, *exchange) for exchange in exchanges]


def _as_in(ours: Register, fact: Register) -> Register:
    """Return a fact in the unit of the model, with what a source does not say: names, limits, no value."""
    factor = in_base_unit(fact)[0] / in_base_unit(replace(ours, multiply=1, divide=1))[0]
    if not fact.unit:
        factor = in_base_unit(fact)[0]
    return replace(
        fact,
        multiply=factor.numerator,
        divide=factor.denominator,
        unit=ours.unit,
        enum=fact.enum or ours.enum,
        invalid=ours.invalid,
        min=ours.min,
        max=ours.max,
    )


def _contents(model: Model, registers: Mapping[str, Register]) -> Iterator[SimulatedUnit]:
    """Yield devices with different content: two with values, then one that has none where that has a mark."""
    yield _device(registers, seed=f"{model.name} 1", ones=True)
    if any(_has_few_values(register) for register in registers.values()):
        yield _device(registers, seed=f"{model.name} 2", ones=False)
    if any(register.invalid for register in registers.values()):
        yield _device(registers, seed=f"{model.name} 3", ones=True, is_invalid=True)


def _has_few_values(register: Register) -> bool:
    return (
        register.table.of_bits or register.bit is not None or bool(register.enum) or register.words == _LONG
    )


def _device(
    registers: Mapping[str, Register], seed: str, *, ones: bool, is_invalid: bool = False
) -> SimulatedUnit:
    rng = random.Random(seed)
    unit = SimulatedUnit(_UNIT)
    for register in registers.values():
        if register.table.of_bits:
            bits = unit.coils if register.table is Table.COIL else unit.discretes
            bits[register.start] = bool((register.start + (not ones)) // 2 % 2)  # no shift gives the same
            continue
        words = unit.holding if register.table is Table.HOLDING else unit.input
        if register.scale is not None:
            scale_words = unit.holding if register.scale[0] is Table.HOLDING else unit.input
            scale_words.setdefault(register.scale[1], rng.choice((1, 0xFFFF, 0xFFFE)))
        if register.start in words:  # bits and parts of one register
            continue
        is_marked = is_invalid and rng.random() < _SHARE_INVALID
        octets = _octets(register, rng, ones=ones, is_invalid=is_marked)
        for at in range(register.words):
            words[register.start + at] = int.from_bytes(octets[2 * at : 2 * at + 2], "big")
    for words in (unit.holding, unit.input):
        holes = set(_addresses(words)) - words.keys()
        words.update({hole: 0x4000 | rng.getrandbits(13) for hole in holes})
    for bits in (unit.coils, unit.discretes):
        holes = set(_addresses(bits)) - bits.keys()
        bits.update({hole: bool((hole + (not ones)) // 2 % 2) for hole in holes})
    return unit


def _addresses(content: Mapping[int, int]) -> range:
    """Return the addresses that reads may touch: holes, and some around, to tell reads apart by length."""
    if not content:
        return range(0)
    return range(max(0, min(content) - _AROUND), max(content) + _AROUND + 1)


def _octets(register: Register, rng: random.Random, *, ones: bool, is_invalid: bool) -> bytes:
    """Return the octets of a register with a value of which no part repeats."""
    size = 2 * register.words
    if is_invalid and register.invalid:
        return _ordered(_raw_of(min(register.invalid), register, size), register)
    for _ in range(_ATTEMPTS):
        octets = _ordered(_raw(register, rng, size, ones=ones), register)
        if not isinstance(register.value(octets), Missing):
            return octets
    raise SystemExit(f"no value of {register.name} lies within its limits")


def _raw(register: Register, rng: random.Random, size: int, *, ones: bool) -> bytes:
    if register.enum and register.bit is None:
        number = rng.choice(sorted(register.enum))
        return number.to_bytes(size, "big", signed=number < 0)
    if register.type.startswith("string"):
        return "".join(rng.choices("ABCDEFGHKLMNPRSTUVWXYZ23456789", k=size)).encode()
    if register.type in ("float32", "float64"):
        value = rng.choice((1, -1)) * rng.randint(1000, 999_999) / 1000
        return struct.pack(">f" if size == 4 else ">d", value)
    if register.type.startswith("bcd"):
        return bytes(rng.randint(1, 9) << 4 | rng.randint(1, 9) for _ in range(size))
    if register.min is not None or register.max is not None:
        return rng.randint(0, 2 ** (8 * min(size, 2) - 1) - 1).to_bytes(size, "big")
    if size == 2 * _LONG and not ones:  # so small that a float tells each
        return bytes(4) + bytes(rng.sample(range(0x10, 0xF0), 4))
    first = rng.randint(0x81, 0xEF) if ones else rng.randint(0x11, 0x7E)
    rest = rng.sample([octet for octet in range(0x10, 0xF0) if octet != first], size - 1)
    return bytes((first, *rest))


def _raw_of(value: float, register: Register, size: int) -> bytes:
    kind = TYPES[register.type]
    if kind.code is not None and kind.code in "fd":
        return struct.pack(f">{kind.code}", value)
    return (int(value) & ((1 << 8 * size) - 1)).to_bytes(size, "big")


def _ordered(octets: bytes, register: Register) -> bytes:
    """Return octets, the most significant first, in the order of the register; it is its own inverse."""
    words_reversed, octets_reversed = ORDERS[register.order]
    if register.type not in TYPES:
        return octets
    words = [octets[at : at + 2][:: -1 if octets_reversed else 1] for at in range(0, len(octets), 2)]
    return b"".join(reversed(words) if words_reversed else words)


def _exchanges(
    model: Model, registers: Mapping[str, Register], unit: SimulatedUnit
) -> Iterator[tuple[bytes, bytes, Values]]:
    """Yield each read of a poll, its reply, and the values that the facts find in it."""
    settings = ModbusSettings(_UNIT, model.registers, model.limits)
    line = model.line or LineSettings(9600)
    for request in ModbusDevice([settings], line).planned():
        (frame,) = RequestFramer().feed(request.data)
        assert isinstance(frame, Frame)
        reply = unit.answer(frame)
        assert reply is not None
        start = int.from_bytes(request.data[2:4], "big")
        quantity = int.from_bytes(request.data[4:6], "big")
        data = reply_data(body(Frame(reply)))
        yield request.data, reply, _values(registers, request.data[1], range(start, start + quantity), data)


def _values(registers: Mapping[str, Register], function: int, span: range, data: bytes) -> Values:
    values: Values = {}
    for name, register in registers.items():
        is_here = register.table.function == function and register.start in span and register.end - 1 in span
        if not is_here:
            continue
        octets = octets_of(register.table, data, register.start - span.start, register.words)
        scaled: Register | None = register
        if register.scale is not None:
            table, at = register.scale
            if table.function != function or at not in span:
                continue
            scaled = register.scaled_by(octets_of(table, data, at - span.start, 1))
        value = scaled.value(octets) if scaled else Missing.NO_VALUE
        if not isinstance(value, Missing):
            values[name] = value
    return values


def _block(at: str, source: str, request: bytes, reply: bytes, values: Values) -> str:
    digits = reply.hex(" ").upper()
    lines = [digits[at : at + _WIDTH].strip() for at in range(0, len(digits), _WIDTH)]
    text = f'"{digits}"' if len(lines) == 1 else '"""\n' + "\n".join(lines) + '"""'
    return "\n".join(
        [
            f"[[{at}]]",
            f'facts = "{source}"',
            f'request = "{request.hex(" ").upper()}"',
            f"reply = {text}",
            f"[{at}.values]",
            *(f"{name} = {_toml(value)}" for name, value in values.items()),
            "",
        ]
    )


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
