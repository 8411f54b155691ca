"""OBIS codes: how they are written, what they mean, and in which unit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from protocols.toolkit.obis import QUANTITIES, UNITS, Code, in_unit, number, parse, quantity, unit_of


@pytest.mark.parametrize(
    ("written", "code", "kept"),
    [
        ("1-0:1.8.2*255", Code(1, 0, 1, 8, 2), "1-0:1.8.2"),
        ("1-0:1.8.0", Code(1, 0, 1, 8, 0), "1-0:1.8.0"),
        ("1.8.0", Code(None, None, 1, 8, 0), "1.8.0"),
        ("1.8.0*01", Code(None, None, 1, 8, 0, 1), "1.8.0*1"),
        ("1.8.0&01", Code(None, None, 1, 8, 0, 1), "1.8.0*1"),
        ("C.1.0", Code(None, None, 96, 1, 0), "C.1.0"),
        ("F.F", Code(None, None, 97, 97, None), "F.F"),
        ("0-1:96.1.0", Code(0, 1, 96, 1, 0), "0-1:96.1.0"),
        ("6.26", Code(None, None, 6, 26, None), "6.26"),
    ],
)
def test_a_code_is_read_with_what_its_meter_leaves_out(written: str, code: Code, kept: str) -> None:
    assert parse(written) == code
    assert str(code) == kept
    assert parse(kept) == code


@pytest.mark.parametrize(
    "written", ["", "3:171.0", "1-0:1", "1.8.0*", "1.8.0 ", "X.1.0", "1-0.1.8.0", "1234.8.0"]
)
def test_what_is_no_code_is_none(written: str) -> None:
    assert parse(written) is None


@pytest.mark.parametrize(
    ("written", "name", "unit"),
    [
        ("1-0:1.8.0*255", "import_energy", "kWh"),
        ("2.8.3", "export_energy_t3", "kWh"),
        ("1-1:22.8.0", "export_energy_l1", "kWh"),
        ("1-0:3.8.0", "reactive_import_energy", "kvarh"),
        ("1-0:16.7.0", "active_power", "W"),
        ("1-0:76.7.0", "active_power_l3", "W"),
        ("1-0:61.7.0", "import_power_l3", "W"),
        ("1-0:52.7.0", "voltage_l2", "V"),
        ("1-0:71.7.0", "current_l3", "A"),
        ("1-0:81.7.15", "phase_angle_l2", "°"),
        ("1.6.1", "import_demand_max_t1", "W"),
        ("6-0:11.0.0", "return_temperature", "°C"),
        ("7-2:3.0.0", "volume", "m³"),
        ("8-0:1.0.0", "volume", "m³"),
    ],
)
def test_the_usual_ones_have_names(written: str, name: str, unit: str) -> None:
    code = parse(written)
    assert code is not None
    assert quantity(code) == (name, unit)
    assert unit_of(name) == unit


@pytest.mark.parametrize("written", ["1.8.0*01", "1-0:96.5.5", "C.1.0", "7-0:1.8.0", "1.8.64"])
def test_an_earlier_billing_period_and_anything_else_has_none(written: str) -> None:
    code = parse(written)
    assert code is not None
    assert quantity(code) is None


@pytest.mark.parametrize(
    "name", ["", "import_energy_t0", "import_energy_t64", "voltage_l1_t1", "import_energy_t"]
)
def test_other_names_have_no_unit(name: str) -> None:
    assert unit_of(name) is None


def test_a_name_means_one_thing_of_a_meter() -> None:
    for medium in {key[0] for key in QUANTITIES}:
        names = [found.name for key, found in QUANTITIES.items() if key[0] == medium]
        assert len(names) == len(set(names))
    assert all(UNITS[name] == unit for name, unit in QUANTITIES.values())


@pytest.mark.parametrize(
    ("written", "unit", "wanted", "value"),
    [
        ("02.027", "kW", "W", 2027),
        ("00557.29", "W", "W", 557.29),
        ("1234567", "Wh", "kWh", 1234.567),
        ("000415", "kWh", "kWh", 415),
        ("0.1234567", "MWh", "kWh", 123.4567),
        ("-00001.10", "kvar", "var", -1100),
        ("00000005.151", "kVArh", "kvarh", 5.151),
        ("0000.100", "kVAr", "var", 100),
        ("0000.100", "kVAR", "var", 100),
        ("12", "Varh", "kvarh", 0.012),
        ("7", "KVARH", "kvarh", 7),
        ("0.5", "kva", "VA", 500),
        ("7.5", "kVAH", "kVAh", 7.5),
        ("00012345", "MJ", "GJ", 12.345),
        ("00981.443", "m3", "m³", 981.443),
        ("415", "kWh", "m³", None),
        ("1.5", "GJ", "kWh", None),
    ],
)
def test_a_unit_is_changed_without_making_up_a_digit(
    written: str, unit: str, wanted: str, value: float | None
) -> None:
    found = number(written)
    assert found is not None
    changed = in_unit(found, unit, wanted)
    assert (changed, type(changed)) == (value, type(value))


@pytest.mark.parametrize(
    "written", ["", "1,5,0", "1.000,5", ",5", "1e3", "NaN", ".5", "5.", "0x10", "9" * 17, "1 2", " ", "- 1"]
)
def test_what_is_no_plain_number_is_none(written: str) -> None:
    assert number(written) is None
    assert number("007.50") == number("  7.5") == number("7.5 ") == Decimal("7.5")
    assert number("0000000012345.678") == Decimal("12345.678")
    assert number("9" * 16) == 10**16 - 1


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1-0:1.7.255*255", "import_power"),
        ("1-0:21.7.255*255", "import_power_l1"),
        ("1-0:1.8.0*255", "import_energy"),
        ("1-0:1.8.2*255", "import_energy_t2"),
    ],
)
def test_a_group_e_that_is_not_used_is_the_total(code: str, name: str) -> None:
    parsed = parse(code)
    assert parsed is not None
    known_quantity = quantity(parsed)
    assert known_quantity is not None
    assert known_quantity.name == name
