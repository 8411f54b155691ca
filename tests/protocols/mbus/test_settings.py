"""M-Bus: the keys of a meter, and what is told about wrong ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.mbus import PROTOCOL
from protocols.mbus.secondary import Secondary
from protocols.mbus.settings import parse_settings
from protocols.toolkit.errors import SettingsError


def test_the_keys_of_a_meter() -> None:
    settings = parse_settings(
        {"id": "050002E5", "manufacturer": "FIN", "values": {"u": "voltage_l1_storage2"}}
    )
    assert settings.secondary == Secondary("050002e5", "FIN")
    assert settings.address == "050002e5.FIN.*.*"
    assert settings.units == {"u": "V"}
    everything = parse_settings({"address": 0}).units
    assert everything["energy_tariff1_storage12"] == everything.get("energy") == "Wh"
    assert everything.get("nonsense") is None
    assert len(set(everything)) == len(everything)
    assert parse_settings({"address": 0}).address == "0"


def test_every_mistake_is_told_at_once_with_its_place_and_fix() -> None:
    wrong = {
        "address": 251,
        "adress": 1,
        "id": 6855817,
        "manufacturer": "kam",
        "version": 255,
        "medium": True,
        "values": ["energie", "energy", "energy", 7],
    }
    with pytest.raises(SettingsError) as caught:
        parse_settings(wrong)
    told = {".".join(map(str, path)): message for path, message in caught.value.problems}
    expected = {
        "": "has both address and id, keep one of them",
        "adress": "unknown key; did you mean address?",
        "address": "251 is not a primary address, use 0–250, or 254 for the only meter on the line",
        "id": '6855817 is a number, write the eight digits on the meter in quotes: "06855817"',
        "manufacturer": '"kam" is not three capital letters, like "KAM"',
        "version": "255 is not a version, use 0–254",
        "medium": "true is not a medium, use 0–254",
        "values.0": 'unknown value "energie" (`serial-bridge try` shows all that it tells); did you mean ',
        "values.2": '"energy" stands here twice, keep one',
        "values.3": 'unknown value 7 (`serial-bridge try` shows all that it tells); use "energy"',
    }
    begun = {path: message[: len(expected.get(path, message))] for path, message in told.items()}
    assert begun == expected


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "needs address = 1 .* or id"),
        ({"address": "06855817"}, "the digits on the label go to id"),
        ({"address": True}, "true is not a primary address"),
        ({"address": 253}, "253 is not a primary address"),
        ({"id": "0685FFFF"}, "has an F in it, which stands for any digit"),
        ({"id": "0685581"}, "is not an id"),
        ({"id": ["06855817"]}, "is not an id"),
        ({"address": 5, "version": 8}, "belongs to an id"),
        ({"address": 5, "values": "energy"}, "is not a list of values"),
        ({"address": 5, "values": []}, "the list is empty"),
        ({"address": 5, "values": {"heat": "energy_storage01"}}, "values.heat: unknown value"),
    ],
)
def test_a_wrong_key_is_named(keys: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_settings(keys)


def test_the_address_of_any_meter_is_for_the_only_one_of_a_line() -> None:
    any_meter, five = parse_settings({"address": 254}), parse_settings({"address": 5})
    by_id = parse_settings({"id": "06855817"})
    assert not PROTOCOL.conflicts([five, by_id, five])
    assert not PROTOCOL.conflicts([any_meter, replace(any_meter, values={"heat": "energy"})])
    for other in five, by_id:
        (problem,) = PROTOCOL.conflicts([other, any_meter])
        assert problem[0] == (1, "address")
        assert "254 calls every meter of the line" in problem[1]
    assert [path for path, _ in PROTOCOL.conflicts([any_meter, five, any_meter])] == [
        (0, "address"),
        (2, "address"),
    ]
