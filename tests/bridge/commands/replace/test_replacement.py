"""Who may be the new sensor, and what a person types for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from bridge.commands.replace.command import _choice
from bridge.commands.replace.counters import Continuation
from bridge.commands.replace.last_values import LastValues, corrected, read_off
from bridge.commands.replace.replacement import candidates, changed, identity_keys, keys_for_address
from bridge.commands.scan.result import Located
from bridge.config import Offset, Site, load_site
from bridge.errors import ConfigError
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Find
from tests.support.site import site_head

LINE = LineSettings.parse("9600 8N1")
REGISTERS = "registers = { x = { holding = 0 } }"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.toml").write_text(
        site_head()
        + f'[[bus.meters.sensor]]\nname = "a"\naddress = 1\nevery = "1s"\n{REGISTERS}\n'
        + f'[[bus.meters.sensor]]\nname = "b"\naddress = 2\nevery = "1s"\n{REGISTERS}\n'
        + '[bus.heat]\nadapter = "/dev/ttyHEAT"\nprotocol = "mbus"\nline = "2400 8E1"\n'
        + '[[bus.heat.sensor]]\nname = "h"\naddress = 5\nevery = "1m"\n'
        + '[bus.tank]\nadapter = "/dev/ttyTANK"\nprotocol = "kamstrup-kmp"\n'
    )
    return load_site(tmp_path / "site.toml")


def find(address: int, *, line: LineSettings = LINE, evidence: Evidence = Evidence.ANSWERS) -> Located:
    keys = {"address": address, "every": "10s", "model": "eastron-sdm630"}
    return Located(Find(protocol="modbus-rtu", address=str(address), evidence=evidence, keys=keys), line, 1.0)


def test_the_new_one_is_who_is_no_other_sensor_of_the_bus(site: Site) -> None:
    finds = [
        find(1),
        find(2),
        find(9),
        find(8, line=LineSettings.parse("9600 8E1")),
        find(7, evidence=Evidence.GARBLED),
    ]
    fitting = candidates(site, site.buses["meters"], "a", finds)
    assert [located.find.address for located in fitting] == ["1", "9"]
    assert identity_keys(fitting[1], {"model": "x"}) == {"address": 9, "model": "eastron-sdm630"}
    assert identity_keys(fitting[1], {"registers": {}}) == {"address": 9}


def test_an_address_is_typed_as_the_protocol_has_it(site: Site) -> None:
    assert keys_for_address(site.buses["meters"], "12") == {"address": 12}
    assert keys_for_address(site.buses["heat"], "12") == {"address": 12}
    assert keys_for_address(site.buses["heat"], "12345678") == {"id": "12345678"}
    with pytest.raises(ConfigError, match="has no addresses"):
        keys_for_address(site.buses["tank"], "3")


def test_a_serial_number_takes_the_place_of_an_address() -> None:
    assert changed({"name": "h", "address": 5}, {"id": "12345678"}) == {"name": "h", "id": "12345678"}
    old = {"name": "h", "id": "1", "manufacturer": "KAM", "version": 3, "medium": 4, "values": ["a"]}
    assert changed(old, {"address": 5}) == {"name": "h", "values": ["a"], "address": 5}
    assert changed(old, {"id": "1"}) == old, "the same device keeps what tells it from others"


def entry(key: str) -> Continuation:
    return Continuation(key, "kWh", 2, 1, Offset(1, datetime.now(UTC)))


def test_what_was_read_off_the_old_sensor_counts_more_than_what_is_remembered() -> None:
    remembered = LastValues(7, {"a": 1.0, "b": 2.0, "voltage": 230.0}, is_doubtful=True)
    last = corrected(remembered, read_off(["a=8,5"]))
    assert last is not None
    assert last.values == {"a": 8.5, "b": 2.0, "voltage": 230.0}
    assert corrected(None, read_off(["a=3"])) == LastValues(None, {"a": 3}, as_shown=frozenset("a"))
    assert corrected(remembered, {}) is remembered
    for wrong in ("a", "a=", "=3", "a=x", "a=nan", "a=1e999", f"a={'9' * 5000}"):
        with pytest.raises(ConfigError, match="write the key of the value and a number"):
            read_off([wrong])


@pytest.mark.parametrize(
    ("text", "number"), [("1,5", 1.5), ("0,125", 0.125), ("1234,567", 1234.567), ("-3", -3), ("1.234", 1.234)]
)
def test_a_comma_is_taken_where_it_can_only_be_that_of_decimals(text: str, number: float) -> None:
    assert read_off([f"temperature={text}"]) == {"temperature": number}


@pytest.mark.parametrize("text", ["1,234", "-123,456"])
def test_a_comma_that_may_be_that_of_thousands_is_asked_about(text: str) -> None:
    with pytest.raises(ConfigError, match=r"one of thousands\? write -?\d+, or -?\d+\.\d{3}$"):
        read_off([f"volume={text}"])


def test_a_typed_choice_is_the_number_of_a_candidate() -> None:
    finds = [
        Find(protocol="modbus-rtu", address=str(address), evidence=Evidence.ANSWERS) for address in (3, 8)
    ]
    choices = [Located(find, LINE, 0.0) for find in finds]
    assert [_choice(choices, typed) for typed in ("1", " 2")] == choices
    for wrong in ("0", "3", "-1", "", "8x", "١٢", "9" * 5000):
        with pytest.raises(typer.BadParameter, match="write a number from 1 to 2"):
            _choice(choices, wrong)


def test_a_remembered_value_is_in_doubt_only_where_nobody_has_read_the_display() -> None:
    last = corrected(LastValues(7, {"a": 1, "b": 2, "voltage": 230.0}, is_doubtful=True), {"a": 8})
    assert last is not None
    assert [each.key for each in last.doubtful([entry("a"), entry("b")])] == ["b"]
    assert last.doubtful([entry("a")]) == []
    assert LastValues(7, {"a": 1}).doubtful([entry("a")]) == []
