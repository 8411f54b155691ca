"""From what a scan found to the sensors of one bus."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.commands.scan.result import Located
from bridge.commands.setup.finds import block, faults, is_same, one_bus, proposed_name
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Find

FAST, SLOW = LineSettings.parse("19200 8E1"), LineSettings.parse("9600 8N1")


def find(address: str, protocol: str = "modbus-rtu", **fields: Any) -> Find:
    fields = {"evidence": Evidence.ANSWERS, "keys": {"address": int(address)}, **fields}
    return Find(protocol=protocol, address=address, **fields)


def test_a_bus_has_the_protocol_and_line_setting_with_the_most_finds() -> None:
    finds = [
        Located(find("1"), FAST, 5.0),
        Located(find("2"), FAST, 6.0),
        Located(find("6"), FAST, 6.5),
        Located(find("3"), SLOW, 1.0),
        Located(find("2"), SLOW, 2.0),
        Located(find("4", evidence=Evidence.GARBLED), FAST, 7.0),
        Located(find("5", "mbus"), LineSettings.parse("2400 8E1"), 9.0),
    ]
    group = one_bus(finds)
    assert group is not None
    assert (group.protocol, group.line) == ("modbus-rtu", FAST)
    assert [each.address for each in group.finds] == ["1", "2", "6"]
    others = " ".join(group.others)
    assert "address 3 speaks modbus-rtu at 9600 8N1" in others
    assert "address 5 speaks mbus at 2400 8E1" in others
    assert "address 4 at 19200 8E1" in others
    assert "address 2" not in others, "one device, heard at two settings"


def test_of_equal_groups_the_first_heard_counts_and_of_nothing_there_is_none() -> None:
    group = one_bus([Located(find("1"), SLOW, 5.0), Located(find("2"), FAST, 1.0)])
    assert group is not None
    assert group.line == FAST
    assert one_bus([]) is None
    assert one_bus([Located(find("1", evidence=Evidence.GARBLED), SLOW, 1.0)]) is None


@pytest.mark.parametrize(
    ("device", "model", "name"),
    [
        (find("7"), "eastron-sdm630", "sdm630-7"),
        (find("7"), "sunspec", "sunspec-7"),
        (find("7", identity={"maker": "Maker", "type": "PM 2200/x"}), "", "pm-2200-x-7"),
        (find("12345678", "mbus", identity={"maker": "KAM"}), "", "kam-12345678"),
        (Find(protocol="kamstrup-kmp", address="", evidence=Evidence.ANSWERS), "", "kamstrup-kmp"),
    ],
)
def test_a_name_says_what_it_is_and_where(device: Find, model: str, name: str) -> None:
    assert proposed_name(device, model, ()) == name
    assert proposed_name(device, model, [name]) == f"{name}-2"
    assert proposed_name(device, model, [name, f"{name}-2"]) == f"{name}-3"


def test_a_device_that_has_a_block_is_known_again() -> None:
    assert is_same(find("7"), {"name": "a", "address": 7})
    assert not is_same(find("7"), {"name": "a", "address": 8})
    serial = find("12345678", "mbus", keys={"id": "12345678"})
    assert is_same(serial, {"name": "a", "id": "12345678"})
    alone = Find(protocol="kamstrup-kmp", address="", evidence=Evidence.ANSWERS)
    assert is_same(alone, {"name": "a"})


def test_a_block_has_its_keys_in_the_order_in_which_people_read_them() -> None:
    keys = {"registers": {"x": {"holding": 0}}, "model": "m", "address": 3, "every": "1s"}
    assert list(block("modbus-rtu", "a", keys, None)) == ["name", "address", "model", "every", "registers"]
    assert block("modbus-rtu", "a", keys, None)["every"] == "10s"
    assert block("mbus", "a", {"address": 1}, None)["every"] == "1m"
    assert block("mbus", "a", {"address": 1}, "7m")["every"] == "7m"


def test_what_a_block_lacks_is_what_the_protocol_says() -> None:
    assert "model" in faults("modbus-rtu", {"address": 1})
    assert faults("modbus-rtu", {"address": 1, "model": "eastron-sdm630"}) == ""
    assert "eastron-sdm630" in faults("modbus-rtu", {"address": 1, "model": "eastron-sdm63"})
    assert faults("mbus", {"address": 1}) == ""
