"""What `check` says of a sensor that is read at times of the clock, and of the gateway's own device."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.commands.check.summary import summary, text
from bridge.config import Credentials, Token, load_site
from tests.support.site import site_head


@pytest.mark.parametrize(
    ("every", "times"),
    [
        ("15m", "every 900 s at 00:00, 00:15 … UTC (started later: at once)"),
        ("10s", "every 10 s at 00:00:00, 00:00:10 … UTC (started later: at once)"),
        ("24h", "every 86400 s at 00:00 UTC (started later: at once)"),
    ],
)
def test_the_times_of_an_aligned_sensor_are_said(every: str, times: str, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    block = f'[[bus.meters.sensor]]\nname = "a"\naddress = 1\nevery = "{every}"\naligned = true\n'
    path.write_text(site_head() + block + 'model = "eastron-sdm630"\n')
    site = load_site(path)
    assert times in text(summary(site, Credentials({"a": Token("A")})))


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ({}, "gateway gate: a device of its own, no credential: nothing is reported of it"),
        ({"gate": Token("G")}, "gateway gate: a device of its own, access token"),
    ],
)
def test_the_gateways_own_device_is_said(tokens: dict[str, Token], said: str, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(
        site_head().replace('url = "coap://127.0.0.1"', 'url = "coap://127.0.0.1"\ngateway = "gate"')
    )
    assert said in text(summary(load_site(path), Credentials(tokens)))


@pytest.mark.parametrize(("sensors", "is_told"), [(3, False), (90, True)])
def test_aligned_sensors_that_crowd_each_other_are_said(sensors: int, is_told: bool, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    blocks = "".join(
        f'[[bus.meters.sensor]]\nname = "a{number}"\naddress = {number}\nevery = "15m"\naligned = true\n'
        "[bus.meters.sensor.registers]\nx = { holding = 0 }\n"
        for number in range(1, sensors + 1)
    )
    path.write_text(site_head() + blocks)
    shown = text(summary(load_site(path), Credentials({})))
    sentence = f"bus.meters: {sensors} aligned sensors are read one after the other, so the last is read 2."
    assert (sentence in shown) == is_told


def test_the_next_step_is_for_the_site_that_was_named(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(site_head())
    last = text(summary(load_site(path), Credentials({})), site=path).splitlines()[-1]
    assert last == f"next: sudo serial-bridge setup --site {path}", (
        "a bus without a sensor has nothing to try"
    )
    path.write_text(
        site_head()
        + '[[bus.meters.sensor]]\nname = "a"\naddress = 1\nevery = "1m"\nmodel = "eastron-sdm630"\n'
    )
    last = text(summary(load_site(path), Credentials({})), site=path).splitlines()[-1]
    assert last == f"next: serial-bridge try --site {path}"


MODEL = """\
title = "My meter"
sources = ["its manual"]
[registers]
voltage = { input = 0, type = "float32", unit = "V" }
[[vector]]
source = "the manual's example"
request = "01 04 00 00 00 02 71 CB"
reply = "01 04 04 43 66 33 34 1B 38"
values = { voltage = VOLTAGE }
"""


@pytest.mark.parametrize(("voltage", "warnings"), [("230.20001", 0), ("231.0", 1)])
def test_a_model_that_its_own_proof_contradicts_is_warned_of(
    voltage: str, warnings: int, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "my-meter.toml"
    file.write_text(MODEL.replace("VOLTAGE", voltage))
    path = tmp_path / "site.toml"
    block = '[[bus.meters.sensor]]\nname = "a"\naddress = 1\nevery = "10s"\nmodel = "my-meter"\n'
    path.write_text(site_head() + block)
    lines = text(summary(load_site(path), Credentials({}))).splitlines()
    of_model = [line for line in lines if line.startswith(f"warning: {file}")]
    assert len(of_model) == warnings
    step = f"serial-bridge models my-meter --site {path}"
    end = f"not as it says, so its values may be wrong: compare them with {step}"
    assert all(line.endswith(end) for line in of_model)
