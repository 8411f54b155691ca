"""The simulated sensors' values, read back by the register map that the bridge uses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.simulator.field.waveform import Waveform, words
from protocols.modbus.registers import ORDERS, TYPES, Register, Table

VOLTAGE = Register(name="voltage", table=Table.INPUT, start=0, type="float32", words=2, unit="V")
NUMBERS = [(name, order) for name in TYPES for order in ORDERS]


def register(type_name: str, order: str = "ABCD", **more: object) -> Register:
    made = Register(
        name="v", table=Table.HOLDING, start=0, type=type_name, words=TYPES[type_name].words, order=order
    )
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("type_name", "order"), NUMBERS)
@given(number=st.integers(0, 9999))
def test_a_number_is_read_back_in_every_type_and_order(type_name: str, order: str, number: int) -> None:
    there = register(type_name, order)
    number %= 1 << 8 * TYPES[type_name].octets - 1
    assert there.value(words(there, number)) == number


@given(st.integers(-300, 300), st.sampled_from([1, 10, 100]), st.sampled_from([0, -40, 0.5]))
def test_a_scaled_value_is_read_back(raw: int, divide: int, offset: float) -> None:
    there = register("int16", divide=divide, offset=offset)
    value = there.value(raw.to_bytes(2, "big", signed=True))
    assert isinstance(value, int | float)
    assert there.value(words(there, value)) == value


def test_a_bit_leaves_its_neighbours_as_they_were() -> None:
    there = register("uint16", bit=3)
    assert words(there, True, b"\x80\x01") == b"\x80\x09"
    assert words(there, False, b"\x80\x09") == b"\x80\x01"


def test_masked_bits_leave_their_neighbours_as_they_were() -> None:
    there = register("uint16", "BADC", mask=0x0FF0)
    octets = words(there, 0x5A, b"\x0f\xf0")
    assert octets == b"\xaf\xf5"
    assert there.value(octets) == 0x5A


def test_an_enum_is_read_back_as_its_text() -> None:
    there = register("uint16", enum={0: "off", 5: "heating"})
    assert there.value(words(there, "heating")) == "heating"


def test_text_is_read_back() -> None:
    there = Register(name="model", table=Table.HOLDING, start=0, type="string:16", words=8)
    assert there.value(words(there, "simulated")) == "simulated"


def test_no_value_is_said_by_an_invalid_number() -> None:
    there = register("uint16", invalid=frozenset({0x7FFF}))
    assert there.value(words(there, 0x7FFF)) == 0x7FFE


@given(st.floats(0, 1e6))
def test_a_mains_voltage_stays_near_230(seconds: float) -> None:
    value = Waveform.of(VOLTAGE, "meter").at(seconds)
    assert isinstance(value, float)
    assert 220 < value < 240


def test_the_same_seed_gives_the_same_values_and_they_change() -> None:
    wave, again, other = (Waveform.of(VOLTAGE, seed) for seed in ("a", "a", "b"))
    moments = [0.0, 10.0, 20.0]
    assert (
        [wave.at(at) for at in moments]
        == [again.at(at) for at in moments]
        != [other.at(at) for at in moments]
    )
    assert len({wave.at(at) for at in moments}) == 3


def test_an_energy_counter_never_falls() -> None:
    wave = Waveform.of(replace(VOLTAGE, name="import", unit="kWh"), "meter")
    values = [wave.at(at) for at in range(0, 100_000, 1000)]
    assert values == sorted(values)


@pytest.mark.parametrize("type_name", list(TYPES))
@given(seconds=st.floats(0, 1e7), unit=st.sampled_from(["V", "kWh", "Wh", "°C", "hPa", ""]))
def test_a_value_always_fits_its_register(type_name: str, seconds: float, unit: str) -> None:
    there = register(type_name, unit=unit, divide=100)
    value = Waveform.of(there, "x").at(seconds)
    assert isinstance(value, float)
    said = there.value(words(there, value))
    assert isinstance(said, int | float)
    assert math.isclose(said, value, rel_tol=1e-5, abs_tol=0.01)


def test_a_value_stays_within_the_limits_of_its_register() -> None:
    there = register("int16", min=-5.0, max=5.0, unit="V")
    assert all(-5 <= Waveform.of(there, "x").at(float(at)) <= 5 for at in range(0, 1000, 10))  # type: ignore[operator]
