"""M-Bus records: how each data type is read, and what each VIF and combinable VIFE make of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.mbus.data import OCTETS, variable_length
from protocols.mbus.items import NAMES, Item, is_name, item, named, unit_of
from protocols.mbus.makers import MAKERS, QUANTITIES
from protocols.mbus.records import Record, build, parse
from protocols.mbus.vif import FB, FD, FD_FD, FIXED, PRIMARY
from protocols.mbus.vife import COMBINABLE, Modifier

unhurried = settings(deadline=None)
codes = st.integers(0, 0x7F)


@st.composite
def records(draw: st.DrawFn) -> Record:
    data_field = draw(st.sampled_from([*OCTETS, 0xD]))
    lvar = (
        draw(st.sampled_from([n for n in range(256) if variable_length(n) is not None]))
        if data_field == 0xD
        else None
    )
    length = OCTETS[data_field] if lvar is None else variable_length(lvar)
    assert length is not None
    is_text = draw(st.booleans())
    vif = 0x7C if is_text else draw(codes.filter(lambda code: code != 0x7C))
    return Record(
        vif=(vif, *draw(st.lists(codes, max_size=10))),
        data_field=data_field,
        data=draw(st.binary(min_size=length, max_size=length)),
        function=draw(st.integers(0, 3)),
        storage=draw(st.integers(0, 2**41 - 1)),
        tariff=draw(st.integers(0, 2**20 - 1)),
        subunit=draw(st.integers(0, 2**10 - 1)),
        text=draw(st.text("abc%/ °", max_size=20)) if is_text else None,
        lvar=lvar,
    )


def told(octets: str, manufacturer: str = "") -> Item:
    """Return what the only record of these octets tells."""
    found = parse(bytes.fromhex(octets))
    assert not found.fault
    (record,) = found.records
    return item(record, manufacturer)


@unhurried
@given(st.lists(records(), max_size=4))
def test_records_that_are_built_are_read(many: list[Record]) -> None:
    found = parse(b"\x2f".join(map(build, many)))
    assert found.records == tuple(many)
    assert not found.fault


@unhurried
@given(records(), st.sampled_from(["", *MAKERS]))
def test_what_a_record_is_called_may_stand_in_a_site_and_has_its_unit(record: Record, maker: str) -> None:
    one = item(record, maker)
    assert is_name(one.name)
    assert unit_of(one.name) == one.unit
    assert one.name.startswith(one.quantity)


def test_one_name_has_one_unit() -> None:
    units: dict[str, set[str]] = {}
    for table in (PRIMARY, FB, FD, FD_FD, FIXED):
        for quantity in table.values():
            units.setdefault(quantity.name, set()).add(quantity.unit)
    for quantity in QUANTITIES:
        units.setdefault(quantity.name, set()).add(quantity.unit)
    assert {name: unit for name, unit in units.items() if len(unit) > 1} == {}
    assert set(units) == set(NAMES)


def test_combinable_codes_of_one_name_tell_the_same_in_other_units() -> None:
    suffixes: dict[str, list[Modifier]] = {}
    for modifier in COMBINABLE.values():
        suffixes.setdefault(modifier.suffix, []).append(modifier)
    for suffix, those in suffixes.items():
        assert len(those) == (4 if suffix.endswith("_duration") else 1) or not suffix
        assert len({(modifier.per, modifier.quantity and modifier.quantity.unit) for modifier in those}) == 1


@pytest.mark.parametrize(
    ("octets", "name", "value", "unit"),
    [
        # integers of each length, signed
        ("0103 9c", "energy", -100, "Wh"),
        ("0203 9cff", "energy", -100, "Wh"),
        ("0303 9cffff", "energy", -100, "Wh"),
        ("0403 01000000", "energy", 1, "Wh"),
        ("0603 010000000080", "energy", -(2**47) + 1, "Wh"),
        ("0703 ffffffffffffff7f", "energy", 2**63 - 1, "Wh"),
        ("0707 ffffffffffffff7f", "energy", float((2**63 - 1) * 10_000), "Wh"),
        # BCD, with a sign, and the display of an error
        ("0903 42", "energy", 42, "Wh"),
        ("0a03 3412", "energy", 1234, "Wh"),
        ("0b03 5634f2", "energy", -23456, "Wh"),
        ("0c03 78563412", "energy", 12345678, "Wh"),
        ("0e03 129078563412", "energy", 123456789012, "Wh"),
        ("0a03 a412", "energy", None, "Wh"),
        ("0b03 0000ef", "energy", None, "Wh"),
        ("0a03 ffff", "energy", None, "Wh"),
        # the lowest integer, reals
        ("0103 80", "energy", None, "Wh"),
        ("0203 0080", "energy", None, "Wh"),
        ("055b 3333bb41", "flow_temperature", 23.4, "°C"),
        ("0558 3333bb41", "flow_temperature", 0.0234, "°C"),
        ("055b 0000c07f", "flow_temperature", None, "°C"),
        ("055b 0000807f", "flow_temperature", None, "°C"),
        # no data, a selection
        ("0003", "energy", None, "Wh"),
        ("0803", "energy", None, "Wh"),
        # LVAR: text, BCD, binary
        ("0d78 04 33323141", "fabrication_number", "A123", ""),
        ("0d78 00", "fabrication_number", None, ""),
        ("0d03 c2 3412", "energy", 1234, "Wh"),
        ("0d03 d2 3412", "energy", -1234, "Wh"),
        ("0d03 c2 3a12", "energy", None, "Wh"),
        ("0d03 e3 9cffff", "energy", -100, "Wh"),
        ("0d03 e0", "energy", None, "Wh"),
        ("0d03 f2 010000000000000000000000000000000000000000000000", "energy", 1, "Wh"),
        # dates: G, F, J, I, their invalid patterns, and a coding that is none
        ("026c 7f1c", "date", "2011-12-31", ""),
        ("026c ffff", "date", None, ""),
        ("026c 0000", "date", None, ""),
        ("026c 5e12", "date", None, ""),  # 30 February
        ("046d 172e cc13", "date_time", "2014-03-12T14:23", ""),
        ("046d 1009 05c5", "date_time", "1996-05-05T09:16", ""),
        ("046d 1029 05c5", "date_time", "2096-05-05T09:16", ""),
        ("046d 972e cc13", "date_time", None, ""),
        ("046d 3f2e cc13", "date_time", None, ""),
        ("036d 1e2d17", "date_time", "23:45:30", ""),
        ("036d ffffff", "date_time", None, ""),
        ("066d 1e17 0ecc1300", "date_time", "2014-03-12T14:23:30", ""),
        ("066d 1e97 0ecc1300", "date_time", None, ""),
        ("0d6d 02 3132", "date_time", None, ""),
        ("0a6c 1234", "date", None, ""),
        # scaling, in each direction, exactly
        ("0400 d2040000", "energy", 1.234, "Wh"),
        ("0407 d2040000", "energy", 12_340_000, "Wh"),
        ("040e d2040000", "energy_joule", 1_234_000_000, "J"),
        ("0410 d2040000", "volume", 0.001234, "m³"),
        ("0222 0a00", "on_time", 36_000, "s"),
        ("0227 0100", "operating_time", 86_400, "s"),
        ("0430 02000000", "power_joule", 2, "J/h"),
        ("0240 0a00", "volume_flow", 6e-05, "m³/h"),
        ("024f 0100", "volume_flow", 36.0, "m³/h"),
        ("0265 d008", "external_temperature", 22.56, "°C"),
        ("0261 9cff", "temperature_difference", -1.0, "K"),
        ("0268 e803", "pressure", 1.0, "bar"),
        ("016e 07", "heat_cost_units", 7, ""),
        ("017a fe", "bus_address", 254, ""),
        # FB and FD
        ("02fb00 0200", "energy", 200_000, "Wh"),
        ("02fb09 0200", "energy_joule", 2_000_000_000, "J"),
        ("02fb0d 0200", "energy_calorie", 2_000_000, "cal"),
        ("02fb02 0200", "reactive_energy", 2000, "varh"),
        ("02fb05 0200", "apparent_energy", 20_000, "VAh"),
        ("02fb14 9cff", "reactive_power", -100, "var"),
        ("02fb1a c901", "relative_humidity", 45.7, "%"),
        ("02fb2d 8913", "frequency", 50.01, "Hz"),
        ("02fb2b 1900", "phase_angle_current", 2.5, "°"),
        ("02fb34 0a00", "apparent_power", 10, "VA"),
        ("02fb75 0a00", "temperature_limit", 0.1, "°C"),
        ("02fb7b 0a00", "power_cumulative_maximum", 10, "W"),
        ("02fd48 fb08", "voltage", 229.9, "V"),
        ("02fd59 d204", "current", 1.234, "A"),
        ("02fd17 0480", "error_flags", 0x8004, ""),
        ("02fd0a 2d2c", "manufacturer_name", "KAM", ""),
        ("0dfd0b 06 353332445652", "parameter_set", "RVD235", ""),
        ("02fd26 0200", "storage_interval", 7200, "s"),
        ("01fd28 01", "storage_interval_months", 1, "months"),
        ("01fd33 01", "tariff_duration", 86_400, "s"),
        ("04fd30 172ecc13", "tariff_start", "2014-03-12T14:23", ""),
        ("01fd71 b0", "rf_level", -80, "dBm"),
        ("02fd74 6400", "battery_remaining", 100, "d"),
        ("04fd16 31323334", "password", None, ""),
        ("02fdfd02 0600", "battery_remaining_months", 6, "months"),
        # what no table has keeps its number
        ("016f 05", "vif_6f", 5, ""),
        ("01fd7c 05", "vif_fd7c", 5, ""),
        ("01fdfd05 05", "vif_fdfd05", 5, ""),
        ("02ff68 0500", "manufacturer_68", 5, ""),
        ("017f 05", "manufacturer", 5, ""),
        ("027c 03485225 d411", "text_rh", 4564, ""),
        ("02fc 0348522574 d411", "text_rh", 45.64, ""),
        # storage, tariff, subunit, function
        ("4403 01000000", "energy_storage1", 1, "Wh"),
        ("8401 03 01000000", "energy_storage2", 1, "Wh"),
        ("c481 01 03 01000000", "energy_storage35", 1, "Wh"),
        ("8420 03 01000000", "energy_tariff2", 1, "Wh"),
        ("8480 10 03 01000000", "energy_tariff4", 1, "Wh"),
        ("8440 03 01000000", "energy_unit1", 1, "Wh"),
        ("8480 40 03 01000000", "energy_unit2", 1, "Wh"),
        ("142b 01000000", "power_max", 1, "W"),
        ("242b 01000000", "power_min", 1, "W"),
        ("342b 01000000", "power_error", 1, "W"),
        ("d4d1 01 2b 01000000", "power_max_tariff1_unit1_storage35", 1, "W"),
        # combinable VIFE
        ("0483 3b 88130000", "energy_positive", 5000, "Wh"),
        ("0483 3c 88130000", "energy_negative", 5000, "Wh"),
        ("0283 70 0100", "energy", 1e-06, "Wh"),
        ("0283 7d 0100", "energy", 1000, "Wh"),
        ("0283 f27d 0100", "energy", 0.1, "Wh"),
        ("0293 22 0500", "volume_per_hour", 0.005, "m³/h"),
        ("0293 29 0a00", "volume_per_input_pulse_1", 0.01, "m³/pulse"),
        ("02ab 40 0500", "power_lower_limit", 5, "W"),
        ("01bb 49 05", "volume_flow_upper_limit_exceeds", 5, ""),
        ("04ab 4a 172ecc13", "power_upper_limit_first_begin", "2014-03-12T14:23", ""),
        ("02ab 6f 7f1c", "power_last_end", "2011-12-31", ""),
        ("02ab 5e 0200", "power_upper_limit_last_duration", 7200, "s"),
        ("02ab 61 0200", "power_first_duration", 120, "s"),
        ("0483 39 172ecc13", "energy_start", "2014-03-12T14:23", ""),
        ("02fdc8 fc01 fb08", "voltage_l1", 229.9, "V"),
        ("02fdc8 fc05 fb08", "voltage_l1_l2", 229.9, "V"),
        ("0283 fc11 ffff", "energy", 65535, "Wh"),
        ("02fdc9 ff01 e600", "voltage_manufacturer_01", 230, "V"),
        ("02db 12 e600", "flow_temperature_average", 230, "°C"),
        ("02db 7e e600", "flow_temperature_future", 230, "°C"),
        ("0283 55 0a00", "energy_lower_limit_last_duration", 600, "s"),
        ("0283 2f 0a00", "energy_per_kelvin", 10, "Wh/K"),
        ("0283 08 0a00", "energy_vife_08", 10, "Wh"),
        ("0283 fc20 0a00", "energy_vife_7c20", 10, "Wh"),
    ],
)
def test_a_record_is_what_the_standard_says(octets: str, name: str, value: object, unit: str) -> None:
    one = told(octets)
    assert (one.name, one.value, one.unit) == (name, value, unit)
    assert type(one.value) is type(value)


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        ("0283 15 0a00", "no data available"),
        ("0283 18 0a00", "data error"),
        ("0283 16 0a00", "data overflow"),
        ("0003", ""),
        ("0083 0c", "illegal VIF group"),
        ("0283 3d 0a00", "in a unit that is not metric"),
        ("02db 7a 0a00", "with an additive constant"),
        ("0d83 1f 02 0a00", "a compact profile"),
    ],
)
def test_what_the_meter_says_is_wrong_has_no_value(octets: str, error: str) -> None:
    one = told(octets)
    assert (one.value, one.error) == (None, error)


@pytest.mark.parametrize(
    ("octets", "name", "value", "unit"),
    [
        ("04a9 ff8100 89040000", "power_l1", 11.61, "W"),
        ("04fdc8 ff8300 11090000", "voltage_l3", 232.1, "V"),
        ("04fdc8 ff8500 bb0f0000", "voltage_l1_l2", 402.7, "V"),
        ("04fdc8 ff8600 c40f0000", "voltage_l2_l3", 403.6, "V"),
        ("04fdc8 ff8700 af0f0000", "voltage_l3_l1", 401.5, "V"),
        ("04fdd9 ff8100 c8010000", "current_l1", 0.456, "A"),
        ("04fdd9 ff8400 c8010000", "current_neutral", 0.456, "A"),
        ("0e84 ff8100 835668000000", "energy_l1", 6856830, "Wh"),
        ("8e4084 ff8200 040100000000", "energy_l2_unit1", 1040, "Wh"),
        ("0aff d900 0550", "frequency", 50.05, "Hz"),
        ("02ff e000 eb01", "power_factor", 0.491, ""),
        ("02ff e0ff8200 18fc", "power_factor_l2", -1.0, ""),
        ("02ff d200 a2fd", "phase_angle_power", -60.6, "°"),
        ("02ff c2ff8100 0000", "phase_angle_voltage_l1", 0.0, "°"),
        ("02ff caff8100 9bff", "phase_angle_current_l1", -10.1, "°"),
        ("01ff 9700 04", "current_quadrant", 4, ""),
        ("01ff 9300 01", "active_tariff", 1, ""),
        ("04ff 9800 9f030000", "power_fails", 927, ""),
        ("01ff ad00 03", "measuring_elements", 3, ""),
        ("0dff aa00 0b 3030312d3331352d313441", "type_designation", "A41-513-100", ""),
        ("0e84 fff200 133900000000", "energy_resettable", 39130, "Wh"),
        ("848040a900 b3feffff", "reactive_power_unit2", -3.33, "var"),
        ("84808040a900 e20e0000", "apparent_power_unit4", 38.1, "VA"),
        ("04ff ec00 15000000", "manufacturer_6c_00", 21, ""),
    ],
)
def test_what_abb_put_behind_ff_has_names_and_units(octets: str, name: str, value: object, unit: str) -> None:
    one = told(octets, "ABB")
    assert (one.name, one.value, one.unit) == (name, value, unit)
    assert unit_of(one.name) == unit


def test_what_abb_says_is_not_there_has_no_value() -> None:
    one = told("04ff a015 00000000", "ABB")
    assert (one.name, one.value, one.error) == (
        "current_transformer_numerator",
        None,
        "no data available",
    )
    assert told("04fdc8 ff8215 00000000", "ABB").value is None


def test_another_makers_codes_keep_their_numbers() -> None:
    assert told("04fdc8 ff81 00 11090000", "SEC").name == "voltage_manufacturer_01_00"
    assert told("0aff d900 0550", "SEC").name == "manufacturer_59_00"


def test_the_second_record_that_says_the_same_has_a_name_of_its_own() -> None:
    found = parse(bytes.fromhex("0265d008 0265d108 4265d208 0265d308"))
    values = {name: one.value for name, one in named(item(record) for record in found.records).items()}
    assert values == {
        "external_temperature": 22.56,
        "external_temperature_2": 22.57,
        "external_temperature_storage1": 22.58,
        "external_temperature_3": 22.59,
    }


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        ("04", "ends within a record"),
        ("0403 010203", "ends within a record"),
        ("84" + "80" * 9 + "00 03 01000000", ""),
        ("84" + "80" * 10 + "00 03 01000000", "more than 10 extensions"),
        ("0483" + "80" * 10 + "00 01000000", "more than 10 extensions"),
        ("3f 0103", "the reserved DIF 3F"),
        ("0d03 ca", "the reserved LVAR CA"),
        ("0d03 f7", "the reserved LVAR F7"),
        ("02fc", "ends within a record"),
    ],
)
def test_a_record_that_breaks_the_rules_ends_what_is_read(octets: str, fault: str) -> None:
    before = "0103 07"
    found = parse(bytes.fromhex(before + octets))
    assert found.records[0] == Record((3,), 1, b"\x07")
    assert fault in found.fault
    assert bool(found.fault) == bool(fault)


def test_filler_is_skipped_and_what_is_the_manufacturers_is_kept_apart() -> None:
    found = parse(bytes.fromhex("2f2f 0103 07 2f 1f 0403 2f"))
    assert len(found.records) == 1
    assert (found.more_follow, found.manufacturer) == (True, bytes.fromhex("04032f"))
    assert parse(b"\x0f").manufacturer == b""
    assert not parse(b"\x0f").more_follow
