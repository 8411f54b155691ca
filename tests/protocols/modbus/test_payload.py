"""A prepared read against what `Register.value` says of each register alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.modbus.payload import Plan
from protocols.modbus.registers import ORDERS, TYPES, Register, Table, octets_of
from protocols.toolkit.polling import Values
from protocols.toolkit.scaling import Missing

WORDS = 40


@st.composite
def registers(draw: st.DrawFn) -> Register:
    """Any register of words or bits within the first 40 addresses, as site.toml allows it."""
    table = draw(st.sampled_from((Table.HOLDING, Table.DISCRETE)))
    name = draw(st.uuids()).hex
    if table.of_bits:
        return Register(name=name, table=table, start=draw(st.integers(0, WORDS - 1)), type="bit")
    kind = draw(st.sampled_from((*TYPES, "string:5")))
    words = TYPES[kind].words if kind in TYPES else 3
    numbers = st.one_of(st.none(), st.integers(-1000, 1000))
    picks = draw(st.sampled_from(("", "bit", "mask", "enum"))) if kind in TYPES else ""
    return Register(
        name=name,
        table=table,
        start=draw(st.integers(0, WORDS - words)),
        type=kind,
        words=words,
        order=draw(st.sampled_from(list(ORDERS))),
        divide=draw(st.sampled_from((1, 10, 0.5))),
        multiply=draw(st.sampled_from((1, 0.1, 3))),
        offset=draw(st.sampled_from((0, -40, 0.25))),
        bit=3 if picks == "bit" else None,
        mask=0x00F0 if picks == "mask" else None,
        enum={0: "off", 1: "on"} if picks == "enum" else {},
        invalid=draw(st.frozensets(st.sampled_from((0, -1, 0xFFFF)))),
        min=draw(numbers),
        max=draw(numbers),
    )


def one_by_one(wanted: list[Register], start: int, data: bytes) -> tuple[Values, int]:
    values: Values = {}
    out_of_limits = 0
    for register in wanted:
        octets = octets_of(register.table, data, register.start - start, register.words)
        value = register.value(octets)
        if not isinstance(value, Missing):
            values[register.name] = value
        out_of_limits += value is Missing.OUT_OF_LIMITS
    return values, out_of_limits


@given(st.lists(registers(), max_size=8), st.binary(min_size=2 * WORDS, max_size=2 * WORDS))
def test_a_prepared_read_says_what_each_register_says(drawn: list[Register], data: bytes) -> None:
    for of_bits in (False, True):
        wanted = [register for register in drawn if register.table.of_bits is of_bits]
        start = min((register.start for register in wanted), default=0)
        values: Values = {}
        out_of_limits = Plan(wanted, start).into(values, data[2 * start * (not of_bits) :])
        expected, expected_out = one_by_one(wanted, start, data[2 * start * (not of_bits) :])
        assert values == expected
        assert {name: type(value) for name, value in values.items()} == {
            name: type(value) for name, value in expected.items()
        }
        assert out_of_limits == expected_out
