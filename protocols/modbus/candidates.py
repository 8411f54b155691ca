"""The models that a unit may be, prepared: those with a fingerprint, and witnesses of the others.

A witness is a register with a unit, whose value is likely or not. Those of a model stand close together, so
that one read brings them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from protocols.modbus.models import Library, Model
from protocols.modbus.registers import TYPES, Register
from protocols.toolkit.plausibility import is_likely
from protocols.toolkit.polling import Value

MOST_WITNESSES: Final = 6
_FEW_WITNESSES: Final = 3
_BLOCK: Final = 40  # registers of one read
_NARROW: Final = {"Hz": (45.0, 65.0)}
_HUMIDITY: Final = (0.5, 100.0)
_ZERO: Final = 0.3  # an idle phase says 0, and so does a hole

Witnesses = tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The models of a library, prepared.

    Attributes:
        known: those that have a fingerprint.
        witnesses: for each other model its name and its witnesses, in the order of their addresses; first the
            models whose witnesses stand where those of most others do, and of these the longest read: one
            read then serves many.
        witnesses_of: the same for each model that has a fingerprint, by its name; () if they are too few.
        titles: the title of each model.
    """

    known: tuple[Model, ...]
    witnesses: tuple[tuple[str, Witnesses], ...]
    witnesses_of: dict[str, Witnesses]
    titles: dict[str, str]

    @classmethod
    def of(cls, library: Library) -> Candidates:
        """Return the candidates of a library; this reads every model file and takes a while."""
        models = [library.model(name) for name in library.names()]
        known = tuple(model for model in models if model.fingerprint)
        blocks = [(model.name, _block(model)) for model in models if not model.fingerprint]
        places = Counter((block[0].table, block[0].start) for _, block in blocks if block)

        def order(entry: tuple[str, Witnesses]) -> tuple[int, str, int, int, str]:
            name, block = entry
            first, last = block[0], block[-1]
            return -places[first.table, first.start], first.table.key, first.start, -last.end, name

        witnesses = sorted((entry for entry in blocks if entry[1]), key=order)
        witnesses_of = {model.name: _block(model) for model in known}
        return cls(known, tuple(witnesses), witnesses_of, {model.name: model.title for model in models})


def likelihood(register: Register, value: Value) -> float:
    """Return 1 for a value that the register's unit makes likely, 0 for one that cannot be."""
    if isinstance(value, str | bool):
        return 0.0
    limits = _NARROW.get(register.unit) or (_HUMIDITY if "humid" in register.name else None)
    if limits is not None:
        return float(limits[0] <= value <= limits[1])
    return float(is_likely(value, register.unit)) if value else _ZERO


def _block(model: Model) -> Witnesses:
    """Return the witnesses of a model, as many as one read brings; () if they are too few."""
    registers = sorted(
        (
            register
            for register in model.registers
            if register.unit
            and register.type in TYPES
            and not register.table.of_bits
            and register.scale is None
        ),
        key=lambda register: (register.table.key, register.start),
    )
    most = min(_BLOCK, model.limits.max_registers)
    best: list[Register] = []
    for at, first in enumerate(registers):
        block = [
            register
            for register in registers[at : at + MOST_WITNESSES]
            if register.table is first.table and register.end <= first.start + most
        ]
        best = max(best, block, key=len)
    return tuple(best) if len(best) >= min(_FEW_WITNESSES, len(registers)) else ()
