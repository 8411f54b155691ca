"""`python -m tests.models.mutations [GRADES]`: are wrong maps caught by the vectors?

Every register of every model is changed in one way at a time: another address, table, order, type, scale,
offset or bit. A change is caught if some vector of the model then reads another value.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

from protocols.modbus.models import Model
from protocols.modbus.registers import ORDERS, TYPES, Register, Table
from tests.models.facts import all_models

_TABLES = {
    Table.INPUT: Table.HOLDING,
    Table.HOLDING: Table.INPUT,
    Table.COIL: Table.DISCRETE,
    Table.DISCRETE: Table.COIL,
}


def mutants(register: Register) -> Iterator[tuple[str, Register]]:
    """Yield the name of each change, and the changed register."""
    for step in (-2, -1, 1, 2):
        if register.start + step >= 0:
            yield f"address {step:+}", replace(register, start=register.start + step)
    yield "table", replace(register, table=_TABLES[register.table])
    if register.bit is not None:
        yield "bit", replace(register, bit=register.bit ^ 1)
    if register.type not in TYPES:
        return
    kind = TYPES[register.type]
    if kind.words > 1:
        for order in ORDERS:
            if order != register.order:
                yield f"order {order}", replace(register, order=order)
    if register.bit is None and register.mask is None:
        for name, other in TYPES.items():
            if name != register.type and other.words == kind.words and other.octets == kind.octets:
                yield f"type {name}", replace(register, type=name)
        if not register.enum:
            yield "scale × 10", replace(register, multiply=register.multiply * 10)
            yield "scale ÷ 10", replace(register, divide=register.divide * 10)
            yield "offset", replace(register, offset=register.offset + 1)


def survivors(model: Model) -> tuple[int, list[str]]:
    """Return how many changes of a model were tried, and those that no vector catches."""
    count = 0
    alive = []
    for register in model.registers:
        others = [other for other in model.registers if other.name != register.name]
        vectors = [vector for vector in model.vectors if register.name in vector.values]
        for change, mutant in mutants(register):
            count += 1
            if not any(vector.differences([*others, mutant]) for vector in vectors):
                alive.append(f"{model.name}: {register.name}: {change}")
    return count, alive


def main(grades: str) -> None:
    """Print the share of the changes that is caught, and those that are not."""
    tried, alive = 0, []
    for model in all_models():
        if model.evidence.grade in grades:
            count, left = survivors(model)
            tried += count
            alive += left
    print("\n".join(alive))
    caught = tried - len(alive)
    print(f"grades {grades}: {tried} changes, {caught} caught ({caught / max(1, tried):.2%})")


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "AB")
