"""What README and docs/ say is true: files load, commands exist, tables are the program's, links lead on."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from bridge.commands.models.listing import listing
from bridge.commands.terminal.app import app
from bridge.config import load, load_site
from bridge.errors import ConfigError
from protocols.modbus import models
from tests import vectors_check
from tests.benchmarks.table import markdown
from tests.bridge.config.conftest import SITES
from tests.models.author import models_table
from tests.support.pages import ALL, BLOCKS, PAGES, README, ROOT


def test_the_two_files_of_the_walk_load_without_a_warning(tmp_path: Path) -> None:
    site, credentials = tmp_path / "site.toml", tmp_path / "credentials.toml"
    site.write_text(BLOCKS[0])
    credentials.touch(mode=0o600)
    credentials.write_text(re.sub('(.*) = "the .*"', r'\1 = "token-of-\1"', BLOCKS[1]))
    loaded, secrets = load(site, credentials)
    assert (loaded.warnings, secrets.warnings) == ((), ())


@pytest.mark.parametrize(
    ("bus", "protocol", "names"),
    [
        ("plant", "mbus", ["heat"]),
        ("house", "dlt645", ["flat-3"]),
        ("cellar", "iec62056-21", ["heat"]),
        ("hall", "dsmr", ["electricity", "gas"]),
    ],
)
def test_the_meters_shown_are_read_as_they_stand(
    tmp_path: Path, bus: str, protocol: str, names: list[str]
) -> None:
    (block,) = (block for block in BLOCKS if f"bus.{bus}.sensor" in block)
    if f"[bus.{bus}]" not in block:
        block = f'[bus.{bus}]\nadapter = "/dev/ttyAMA0"\nprotocol = "{protocol}"\n' + block
    (tmp_path / "site.toml").write_text(BLOCKS[0].partition("[bus")[0] + block)
    assert [sensor.name for sensor in load_site(tmp_path / "site.toml").buses[bus].sensors] == names


@pytest.mark.parametrize("name", sorted(set(re.findall(r"serial-bridge ([a-z]+)", ALL))))
def test_a_command_that_is_named_exists(name: str) -> None:
    assert name in get_command(app).commands


def test_the_mistakes_shown_are_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.toml").write_text((SITES / "mistakes.toml").read_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_site(Path("site.toml"))
    assert textwrap.indent(str(caught.value), "    ") in PAGES["operations"]


def test_the_models_are_those_that_ship() -> None:
    assert models_table(listing()) in PAGES["models"]


def test_the_model_shown_is_right_and_reads_what_its_vector_says() -> None:
    (block,) = (block for block in BLOCKS if block.startswith('title = "My meter"'))
    model = models.read("my-meter", tomllib.loads(block))
    assert [vector.differences(model.registers) for vector in model.vectors] == [[]]


def test_the_table_of_vectors_is_what_the_decoder_says_of_them() -> None:
    tallies, strange = vectors_check.check(vectors_check.FOLDER, vectors_check.here)
    assert [what for tally in tallies for what in tally.missed] == []
    assert strange == []
    assert markdown(vectors_check.table(tallies)) in PAGES["contributing"]


def test_readme_is_a_front_door() -> None:
    assert len(README.encode()) <= 10_000


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}.md" for name in PAGES)])
def test_a_link_leads_to_a_page_and_a_heading_of_it(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#:]*(?:#[^)]*)?)\)", path.read_text("utf-8")):
        name, _, heading = target.partition("#")
        other = path.parent / name if name else path
        assert other.is_file(), target
        if other.suffix == ".png":
            continue
        titles = re.findall(r"(?m)^#+ (.*)$", other.read_text("utf-8"))
        anchors = {re.sub(r"[^a-z0-9]+", "-", title.lower()) for title in titles}
        assert not heading or heading in anchors, target
