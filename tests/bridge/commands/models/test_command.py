"""`models`, `check` and `decode --model`: what an installer sees of the maps, and of the site's own."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.commands.decode.streams import run as decode
from bridge.commands.terminal.app import app
from protocols import load
from protocols.modbus import models
from tests.bridge.config.conftest import SITES
from tests.protocols.vector_file import Vector, files

FRAMES = files()["modbus_device_frames"].vectors
PAIRS = [pytest.param(a, b, id=b["id"]) for a, b in zip(FRAMES[::2], FRAMES[1::2], strict=True)]
NAMES = {models.load(name).title: name for name in models.names()}
SHIPPED = (Path(models.__file__).parent / "eastron-sdm120.toml").read_text()
OWN = (SITES / "model.toml").read_text()
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
model = "eastron-sdm120"
every = "10s"
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with a copy of a model in which one register was changed, and one of its own."""
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    line = next(line for line in SHIPPED.splitlines() if line.startswith("frequency"))
    Path("models/eastron-sdm120.toml").write_text(SHIPPED.replace(line, f"{line[:-2]}, multiply = 1000 }}"))
    Path("models/my-meter.toml").write_text(OWN)
    Path("site.toml").write_text(SITE)
    Path("credentials.toml").touch(mode=0o600)
    return Path("site.toml")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--site", "site.toml"])


@pytest.mark.parametrize(("asked", "answered"), PAIRS)
def test_decode_names_the_value_of_a_device_frame(asked: Vector, answered: Vector) -> None:
    out = io.StringIO()
    model = NAMES[asked["device"]]
    entry = load("modbus-rtu")
    assert decode(entry, asked["hex"] + answered["hex"], model, True, io.StringIO(), out) == 0
    _, reply = map(json.loads, out.getvalue().splitlines())
    (value,) = reply["fields"]["values"].values()
    assert value == pytest.approx(answered["expected"]["value"], rel=1e-6)


def test_the_listing_says_whose_a_model_is(site: Path) -> None:
    lines = {line.split()[1]: line for line in invoke("models").output.splitlines() if _is_row(line)}
    assert lines["eastron-sdm120"].endswith(
        "(models/eastron-sdm120.toml, instead of the one that ships with the bridge)"
    )
    assert lines["my-meter"].endswith("My meter  (models/my-meter.toml, the site's own)")
    assert "models/" not in lines["eastron-sdm630"]
    rows = {row["name"]: row for row in json.loads(invoke("models", "--json").output)}
    assert (rows["eastron-sdm120"]["file"], rows["eastron-sdm120"]["replaces_shipped"]) == (
        "models/eastron-sdm120.toml",
        True,
    )
    assert (rows["my-meter"]["replaces_shipped"], rows["eastron-sdm630"]["file"]) == (False, None)


def test_check_says_which_models_are_the_sites_own_and_replays_them(site: Path) -> None:
    told = invoke("check", "--credentials", "credentials.toml").output
    assert (
        "model eastron-sdm120: models/eastron-sdm120.toml, instead of the one that ships with the bridge; "
        "4 vectors replayed: number 3 not as it says\n"
        "model my-meter: models/my-meter.toml, the site's own; 2 vectors replayed: all right\n"
    ) in told


def test_a_vector_that_reads_otherwise_is_told_and_fails(site: Path) -> None:
    told = invoke("models", "eastron-sdm120")
    assert told.exit_code == 1
    assert "vector 3: 5 values, made up from what esphome says" in told.output
    assert "  wrong: frequency reads 532410.0, the vector says 532.41" in told.output


@pytest.mark.parametrize("name", models.names())
def test_every_model_that_ships_replays_right(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = invoke("models", name)
    assert told.exit_code == 0
    assert told.output.splitlines()[-1].endswith("replayed: all right")
    assert json.loads(invoke("models", name, "--json").output)["sources"]


def test_a_wrong_model_is_told_by_the_command_too(site: Path) -> None:
    Path("models/my-meter.toml").write_text(OWN.replace("float32", "float"))
    result = CliRunner().invoke(app, ["models", "--site", "site.toml"])
    assert str(result.exception).startswith("models/my-meter.toml:15: registers.voltage.type: ")


def test_check_warns_of_a_wrong_model_that_no_sensor_names(site: Path) -> None:
    Path("models/my-meter.toml").write_text(OWN.replace("float32", "float"))
    told = invoke("check", "--credentials", "credentials.toml")
    assert told.exit_code == 0
    assert "models/my-meter.toml:15: registers.voltage.type: " in told.output
    assert "model my-meter" not in told.output


def test_without_a_site_the_models_are_those_that_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [line for line in invoke("models").output.splitlines() if _is_row(line)]
    assert len(rows) == len(models.names())


def test_part_of_a_name_lists_the_models_that_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for word in ("sdm", "SDM 6", "Eastron"):
        result = invoke("models", word)
        assert result.exit_code == 0
        *lines, next_step = result.output.splitlines()
        rows = [line for line in lines if _is_row(line)]
        assert rows
        assert all("sdm" in row for row in rows)
        assert next_step.startswith("next: serial-bridge models eastron-sdm")
    assert {row["name"] for row in json.loads(invoke("models", "sdm1", "--json").output)} == {
        "eastron-sdm120"
    }


def test_kind_and_grade_choose_and_the_letters_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = json.loads(invoke("models", "--kind", "soil", "--grade", "a", "--json").output)
    assert rows
    assert {(row["kind"], row["grade"]) for row in rows} == {("soil", "A")}
    assert invoke("models", "--grade", "A").output.splitlines()[-1] == "A: an exchange with a real device"
    assert invoke("models", "weather").output.splitlines()[0] == "weather"


def test_the_block_to_copy_is_right_in_a_site(site: Path) -> None:
    lines = invoke("models", "eastron-sdm630").output.splitlines()
    begin = lines.index("[[bus.NAME.sensor]]")
    block = "\n".join(lines[begin : begin + 5]).replace("NAME", "meters").replace("…", "copied")
    site.write_text(f"{SITE}{block.replace('address = 1', 'address = 7')}\n")
    assert invoke("check", "--credentials", "credentials.toml").exit_code == 0


def _is_row(line: str) -> bool:
    return line.startswith("  ")


def test_a_word_that_no_model_has_is_answered_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("models", "eastrom-sdm630x")
    assert result.exit_code == 2
    assert "did you mean eastron-sdm630" in " ".join(result.output.split())
