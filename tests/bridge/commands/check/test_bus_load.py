"""What `check` says of a bus that is asked for more than its wire carries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.commands.check import bus_load
from bridge.commands.check.summary import summary, text
from bridge.config import Bus, Site, load_site
from bridge.config.credentials import Credentials
from tests.bridge.reader.test_reader import SITE, sensor

REGISTERS = "\n".join(f"r{at} = {{{{ holding = {at} }}}}" for at in range(30))


def site_of(folder: Path, *sensors: str, line: str = "9600 8N1") -> Site:
    path = folder / "site.toml"
    path.write_text(SITE.format(adapter="/dev/ttyTEST", sensors="".join(sensors)).replace("115200 8N1", line))
    return load_site(path)


def bus_of(folder: Path, *sensors: str, line: str = "9600 8N1") -> Bus:
    return site_of(folder, *sensors, line=line).buses["meters"]


def test_the_wire_time_of_a_poll_is_octets_turn_around_and_gap(tmp_path: Path) -> None:
    (demand,) = bus_load.demands(bus_of(tmp_path, sensor("a", 1, registers=REGISTERS)))
    assert demand.wire_s == pytest.approx((8 + 65) * 10 / 9600 + 0.005 + 38.5 / 9600)
    assert [ask.summary for ask in demand.asks] == ["unit 1: holding registers 0–29"]


def test_an_overloaded_bus_is_told_with_the_sensor_that_asks_most(tmp_path: Path) -> None:
    bus = bus_of(tmp_path, sensor("main-meter", 1, "50ms", REGISTERS), sensor("soil", 2, "1s"))
    warning = bus_load.warning(bus)
    assert warning is not None
    assert warning.startswith(
        "bus.meters is loaded 173 %: main-meter needs 85 ms of wire every 50 ms; raise the baud rate"
    )


def test_a_tight_bus_is_told_and_one_with_room_is_not(tmp_path: Path) -> None:
    tight = bus_load.warning(bus_of(tmp_path, sensor("a", 1, "90ms", REGISTERS)))
    assert tight is not None
    assert "a retry or a silent sensor will cost others a poll" in tight
    assert bus_load.warning(bus_of(tmp_path, sensor("a", 1, "100ms", REGISTERS))) is None
    assert bus_load.warning(bus_of(tmp_path, sensor("a", 1, "0s", REGISTERS))) is None, (
        "it takes what is left"
    )


def test_the_plan_lists_each_request_with_its_time(tmp_path: Path) -> None:
    found = summary(site_of(tmp_path, sensor("a", 1, "50ms", REGISTERS)), Credentials({}, None))
    assert "      85.1 ms  unit 1: holding registers 0–29" in text(found, plan=True).splitlines()
    assert "holding registers" not in text(found)
    assert [warning for warning in found["warnings"] if "loaded" in warning]


@pytest.mark.parametrize(
    ("protocol", "keys", "request_said"),
    [("mbus", "address = 5", "data"), ("iec62056-21", 'values = ["import_energy"]', "readout at 300 baud")],
)
def test_where_the_device_decides_how_long_its_reply_is_the_time_is_the_least(
    protocol: str, keys: str, request_said: str, tmp_path: Path
) -> None:
    written = f'[[bus.meters.sensor]]\nname = "heat"\nevery = "100ms"\n{keys}\n'
    site = SITE.format(adapter="/dev/ttyTEST", sensors=written)
    site = site.replace("modbus-rtu", protocol).replace('line = "115200 8N1"\n', "")
    (tmp_path / "site.toml").write_text(site.replace('reply_timeout = "300ms"\n', ""))
    found = summary(load_site(tmp_path / "site.toml"), Credentials({}, None))
    assert found["buses"]["meters"]["is_lower_bound"]
    told = text(found, plan=True)
    assert re.search(r"on /dev/ttyTEST, at least \d+ % of the wire's time\n", told)
    assert re.search(r"\(at least \d+ ms of wire\), ", told)
    assert re.search(rf"\n    at least +\d+\.\d ms  .*{request_said}\n", told)
    assert re.search(r"is loaded at least \d+ %: heat needs at least \d+ ms of wire", told)
