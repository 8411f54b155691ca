"""What the sources of a model say, each for itself: `facts/NAME.toml`.

    [facts.manual]                      the id of a source in the model's file
    voltage = { input = 0, type = "float32", unit = "V" }
    active_power = { input = 12, type = "float32", unit = "kW" }
    [facts.other]
    voltage = { input = 0, type = "float32" }
    [settled]
    active_power = "the manual says kW, its own example and two other programs W"

A register is written as in a model, with what the source says and no more; where it gives no unit, none is
compared. Whoever writes facts has the source open: they are the proof that it was read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final

from protocols.modbus import models
from protocols.modbus.models import Model
from protocols.modbus.register_keys import parse_registers
from protocols.modbus.registers import Register
from protocols.toolkit.errors import Problem

FOLDER: Final = Path(__file__).parent / "facts"
_PREFIXES: Final = {
    "k": Fraction(1000),
    "M": Fraction(10**6),
    "m": Fraction(1, 1000),
    "µ": Fraction(1, 10**6),
}
_UNITS_WITH_PREFIX: Final = ("W", "Wh", "VA", "VAh", "var", "varh", "V", "A", "Ω", "Pa", "S/cm", "Hz", "h")


@dataclass(frozen=True)
class Facts:
    """The facts of a model.

    Attributes:
        by_source: the registers that each source names, by the source's id and the model's key.
        settled: why a disagreement is none, by key.
    """

    by_source: Mapping[str, Mapping[str, Register]] = field(default_factory=dict)
    settled: Mapping[str, str] = field(default_factory=dict)


@cache
def facts_of(name: str) -> Facts:
    """Return the facts of a model; none if nobody wrote them down."""
    path = FOLDER / f"{name}.toml"
    if not path.exists():
        return Facts()
    table = tomllib.loads(path.read_text("utf-8"))
    assert table.keys() <= {"facts", "settled"}, f"{path.name}: {table.keys()}"
    return Facts(
        {source: _registers(path.name, source, entries) for source, entries in table["facts"].items()},
        table.get("settled", {}),
    )


def _registers(file_name: str, source: str, entries: Mapping[str, Any]) -> dict[str, Register]:
    problems: list[Problem] = []
    registers = parse_registers(entries, ("facts", source), problems)
    assert not problems, f"{file_name}: {problems}"
    return {register.name: register for register in registers}


def disagreements(model: Model) -> Iterator[tuple[str, str, str]]:
    """Yield the key, the source and the difference wherever a source says otherwise than the model."""
    registers = {register.name: register for register in model.registers}
    for source, facts in facts_of(model.name).by_source.items():
        for key, fact in facts.items():
            if key in registers and (difference := deviation(registers[key], fact)):
                yield key, source, difference


def derived_grades(model: Model) -> dict[str, str]:
    """Return the grade that each register of a model may claim, by its vectors and the facts."""
    sources = {source.id: source for source in model.sources if source.id}
    shown_keys = {key for vector in model.vectors if not vector.synthesised for key in vector.values}
    facts = facts_of(model.name)
    unsettled = {(key, source) for key, source, _ in disagreements(model)}
    grades = {}
    for register in model.registers:
        key = register.name
        saying = [
            sources[source]
            for source, registers in facts.by_source.items()
            if key in registers and ((key, source) not in unsettled)
        ]
        if key in shown_keys:
            grades[key] = "A"
        elif any(source.is_read_document for source in saying):
            grades[key] = "B"
        elif len(saying) > 1:
            grades[key] = "C"
        else:
            grades[key] = "D"
    return grades


def all_models() -> list[Model]:
    """Return every model that ships."""
    return [models.load(name) for name in models.names()]


def deviation(ours: Register, fact: Register) -> str:
    """Return how a fact differs from a register of the model; "" if it says the same."""
    pairs: dict[str, tuple[object, object]] = {
        "table": (ours.table.key, fact.table.key),
        "address": (ours.start, fact.start),
        "type": (ours.type, fact.type),
        "bit": (ours.bit, fact.bit),
        "mask": (ours.mask, fact.mask),
        "scale register": (ours.scale, fact.scale),
    }
    if ours.words > 1:
        pairs["order"] = (ours.order, fact.order)
    if not ours.enum and not fact.enum:
        (our_factor, our_unit), (factor, unit) = in_base_unit(ours), in_base_unit(fact)
        if unit and our_unit:
            pairs["unit"] = (our_unit, unit)
        pairs["scale"] = (our_factor, factor) if unit else (_factor(ours), _factor(fact))
        pairs["offset"] = (ours.offset, fact.offset)
    return "; ".join(f"{name} {b} instead of {a}" for name, (a, b) in pairs.items() if a != b)


def _factor(register: Register) -> Fraction:
    return Fraction(repr(register.multiply)) / Fraction(repr(register.divide))


def in_base_unit(register: Register) -> tuple[Fraction, str]:
    """Return the factor to the unit without prefix, and that unit: kW is 1000 W."""
    prefix, base = register.unit[:1], register.unit[1:]
    if prefix in _PREFIXES and base in _UNITS_WITH_PREFIX:
        return _factor(register) * _PREFIXES[prefix], base
    return _factor(register), register.unit
