"""A site's own models: read like those that ship, before them, and every mistake told with file and line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.config import OwnModels, load_site, site_schema
from bridge.errors import ConfigError
from protocols import load
from protocols.modbus import models
from protocols.modbus.settings import ModbusSettings
from protocols.toolkit.errors import SettingsError
from tests.bridge.config.conftest import SITES

MODEL = (SITES / "model.toml").read_text()
SLIPS = [block for block in (SITES / "model_slips.txt").read_text().split("\n\n") if block[0] != "#"]
SITE = """
site = "barn-7"
[thingsboard]
url = "coap://tb.example.com"
[bus.meters]
adapter = "serial:AB0JPQ7X"
protocol = "modbus-rtu"
line = "9600 8N1"
[[bus.meters.sensor]]
name = "main"
address = 1
model = "NAME"
every = "10s"
"""
ODD: list[Any] = [
    7,
    -1,
    0.5,
    "x",
    "",
    True,
    [],
    [7],
    ["x"],
    {},
    {"x": 7},
    [{}],
    [{"request": 7, "values": 7}],
]

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Save:
    """Write a site whose sensor has this model, and models: name → text."""
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()

    def write(model: str, **files: str) -> Path:
        Path("site.toml").write_text(SITE.replace("NAME", model))
        for name, text in files.items():
            Path("models", f"{name.replace('_', '-')}.toml").write_text(text)
        return Path("site.toml")

    return write


def settings(path: Path) -> ModbusSettings:
    (sensor,) = load_site(path).buses["meters"].sensors
    assert isinstance(sensor.settings, ModbusSettings)
    return sensor.settings


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_site(path)
    return list(raised.value.mistakes)


def test_a_model_beside_the_site_file_is_a_model(save: Save) -> None:
    found = settings(save("my-meter", my_meter=MODEL))
    assert [register.name for register in found.registers] == ["voltage", "current", "state", "counter"]
    assert found.limits.max_registers == 20


def test_a_copy_with_one_register_changed_is_read_instead_of_the_one_that_ships(save: Save) -> None:
    shipped = (Path(models.__file__).parent / "eastron-sdm120.toml").read_text()
    line = next(line for line in shipped.splitlines() if line.startswith("frequency"))
    copy = shipped.replace(
        line, 'frequency = { input = 70, type = "float32", multiply = 1000, unit = "mHz" }'
    )
    plain = settings(save("eastron-sdm120")).registers
    changed = settings(save("eastron-sdm120", eastron_sdm120=copy)).registers
    assert plain == models.load("eastron-sdm120").registers
    assert [new.name for old, new in zip(plain, changed, strict=True) if old != new] == ["frequency"]
    assert {register.name: register.unit for register in changed}["frequency"] == "mHz"


def test_the_bus_names_the_registers_of_a_reply_after_the_models_of_its_site(save: Save) -> None:
    bus = load_site(save("my-meter", my_meter=MODEL)).buses["meters"]
    assert "my-meter" in bus.protocol.model_names
    assert "my-meter" in bus.protocol.schema["properties"]["model"]["enum"]
    assert "my-meter" not in load("modbus-rtu").model_names
    bus.protocol.describer_for("my-meter")


def test_an_editor_is_told_the_models_of_the_site(save: Save) -> None:
    own = OwnModels(save("my-meter", my_meter=MODEL))
    known, plain = (
        schema["$defs"]["Sensor-modbus-rtu"]["properties"]["model"]["enum"]
        for schema in (site_schema(own), site_schema())
    )
    assert set(known) - set(plain) == {"my-meter"}


def test_only_files_that_end_in_toml_are_models(save: Save) -> None:
    path = save("eastron-sdm120")
    Path("models", "my-meter.toml~").write_text("no TOML")
    Path("models", "README").write_text("no TOML")
    load_site(path)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_named_with_its_file_its_line_and_its_fix(slip: str, save: Save) -> None:
    lines = slip.splitlines()
    out = "".join(f"{line[2:]}\n" for line in lines if line.startswith("- "))
    into = "".join(f"{line[2:]}\n" for line in lines if line.startswith("+ "))
    told = [line for line in lines if not line.startswith(("- ", "+ "))]
    assert told
    assert MODEL.count(f"\n{out}") + MODEL.startswith(out) == 1
    assert mistakes(save("my-meter", my_meter=MODEL.replace(out, into))) == told


def test_at_least_thirty_slips_are_told() -> None:
    assert len(SLIPS) >= 30


def test_the_mistakes_of_the_site_and_of_all_its_models_are_told_together(save: Save) -> None:
    path = save(
        "my-meter",
        my_meter=MODEL.replace('"float32", unit = "V"', '"float", unit = "V"'),
        other=MODEL.replace("max_registers = 20", "max_registers = 0"),
        third="title = My meter",
    )
    text = path.read_text()
    _, header, sensor = text.partition("[[bus.meters.sensor]]")
    others = [header + sensor.replace("main", name).replace("my-meter", name) for name in ("other", "third")]
    path.write_text(text.replace("address = 1", "address = 300") + "".join(others))
    assert [mistake.split(": ")[0] for mistake in mistakes(path)] == [
        "site.toml:11",
        "models/third.toml:1",
        "models/my-meter.toml:15",
        "models/other.toml:11",
    ]


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        ("title = My meter", ":1: "),
        (MODEL.replace('"float32"', '"float"', 1), ":15: registers.voltage.type: "),
    ],
)
def test_a_mistake_in_a_model_that_no_sensor_names_is_a_warning(broken: str, place: str, save: Save) -> None:
    (warning,) = load_site(save("eastron-sdm120", my_meter=broken)).warnings
    assert warning.startswith(f"models/my-meter.toml{place}")
    assert mistakes(save("my-meter", my_meter=broken)) == [warning]


def test_a_wrong_model_in_place_of_one_that_ships_is_a_mistake(save: Save) -> None:
    (told,) = mistakes(save("eastron-sdm120", eastron_sdm120="title = My meter"))
    assert told.startswith("models/eastron-sdm120.toml:1: ")


def test_a_model_that_is_nowhere_is_a_mistake_of_the_site(save: Save) -> None:
    (told,) = mistakes(save("my-metre", my_meter=MODEL))
    rule = "is not a model that ships with the bridge, nor a file in models/"
    assert told.startswith(f'site.toml:12: bus.meters.sensor[1].model: "my-metre" {rule}, use my-meter')
    (told,) = mistakes(save("QQQ", my_meter=MODEL))
    three = ", ".join(models.names()[:3])
    assert told.endswith(f'"QQQ" {rule}, use one that `serial-bridge models` lists: {three} …')


def test_a_folder_that_is_a_file_holds_no_models(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    assert OwnModels(tmp_path / "site.toml").tables == {}


@pytest.mark.parametrize("key", [*tomllib.loads(MODEL), "unknown"])
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_whatever_stands_in_a_model_is_right_or_told(key: str, odd: object) -> None:
    table = tomllib.loads(MODEL) | {key: odd}
    with suppress(SettingsError):
        assert models.read("odd", table).registers
