"""What `protocols NAME` tells, of every protocol there is."""

from __future__ import annotations

import pytest

from bridge.commands.protocols.page import page, page_text
from protocols import CATALOGUE, load


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_key_of_a_sensor_is_explained(name: str) -> None:
    found = page(load(name))
    shown = page_text(found)
    assert found["keys"].keys() == load(name).schema["properties"].keys()
    for key, told in found["keys"].items():
        assert told["description"], key
        assert f"\n{key} ({'required' if told['required'] else 'optional'}): " in shown


def test_every_key_of_a_bus_is_explained_down_to_the_last_table() -> None:
    entry = load("declared")
    found = page(entry)
    shown = page_text(found)
    for key in (
        *("frame", "frame.sync", "frame.length", "frame.length.add", "frame.checksum.from", "frame.end"),
        *("frame.fields", "frame.fields.NAME.type", "frame.fields.NAME.divide", "request.send"),
    ):
        assert key in found["bus_keys"]
    for key, told in found["bus_keys"].items():
        assert told["description"], key
        assert f"\n{key} ({'required' if told['required'] else 'optional'}): " in shown
    assert shown.count("crc16-modbus") == 2, "once for the frame, once for the request"
    assert page(load("sml"))["bus_keys"] == {}


def test_a_page_says_who_talks_first_and_names_the_values() -> None:
    shown = page_text(page(load("sml")))
    assert "its sensors push" in shown
    assert "import_energy" in shown
    assert "id (required): the meter's server id" in shown
    assert "its sensors are polled" in page_text(page(load("mbus")))


def test_three_phases_are_one_name() -> None:
    shown = " ".join(page_text(page(load("dlt645"))).split())
    assert " voltage_a/_b/_c, " in shown
    assert " active_power[_a _b _c], " in shown
