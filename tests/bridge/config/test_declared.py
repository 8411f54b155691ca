"""Frames that a site declares: each mistake is told with line and fix, and an editor is told the keys."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Bus, load_site, site_schema
from protocols import load
from protocols.declared import declaration, declared_by
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.protocol import PolledProtocol, ProtocolTemplate, PushingProtocol
from tests.bridge.config.conftest import SITES, Mistakes
from tests.bridge.config.test_schema import Validator

GOOD = (SITES / "declared.toml").read_text()
SLIPS = [block for block in (SITES / "declared_slips.txt").read_text().split("\n\n") if block[0] != "#"]
ODD: list[Any] = [7, -1, 0.5, "x", "", True, [], ["x"], {}, {"x": 7}, [{}], 2000, "??", "{id}", "none"]


@pytest.fixture
def buses(tmp_path: Path) -> dict[str, Bus]:
    """Return the buses of the good file."""
    (tmp_path / "site.toml").write_text(GOOD)
    return load_site(tmp_path / "site.toml").buses


def test_a_bus_makes_a_protocol_of_its_own(buses: dict[str, Bus]) -> None:
    dust, tank = buses["dust"].protocol, buses["tank"].protocol
    assert (dust.name, tank.name) == ("declared", "declared")
    assert isinstance(dust, PushingProtocol)
    assert isinstance(tank, PolledProtocol)
    (sensor,) = buses["tank"].sensors
    assert sensor.settings.address == "17"
    assert sensor.settings.units == {"level": "m", "alarm": ""}


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("length = 12", "length = 13", {"bus-tank"}),
        ('send = "AA {id} 01"', 'send = "AA {id} 02"', {"bus-tank"}),
        ("pm2_5 = {", "pm10 = { at = 14 }\npm2_5 = {", {"bus-dust"}),
        ("pm1_0 = { at = 10,", "pm4_0 = { at = 20 }\npm1_0 = {", {"bus-dust"}),
        ('sync = "42 4D"\nlength', 'sync = "42 4D"  # BM\nlength', set()),
    ],
)
def test_an_edited_declaration_concerns_its_bus(tmp_path: Path, old: str, new: str, parts: set[str]) -> None:
    assert old in GOOD
    assert changed(tmp_path, GOOD, GOOD.replace(old, new)) == parts


def test_the_order_of_fields_concerns_the_bus(tmp_path: Path) -> None:
    fields = ['a = { at = 10, type = "uint16" }\n', 'b = { type = "uint16" }\n', 'c = { type = "uint16" }\n']
    head, _, rest = GOOD.partition("pm1_0")
    rest = rest.partition("\n\n")[2]
    one, other = (f"{head}{''.join(order)}\n{rest}" for order in (fields, [fields[0], *fields[:0:-1]]))
    assert changed(tmp_path, one, other) == {"bus-dust"}


def changed(folder: Path, *texts: str) -> set[str]:
    """Return the parts whose fingerprint differs between two sites."""
    found = []
    for text in texts:
        (folder / "site.toml").write_text(text)
        found.append(load_site(folder / "site.toml").fingerprints)
    return {part for part in found[0] if found[0][part] != found[1][part]}


def test_without_a_bus_there_is_nothing_to_find_or_decode_with() -> None:
    template = load("declared")
    assert isinstance(template, ProtocolTemplate)
    assert not hasattr(template, "framer")
    assert not hasattr(template, "describer")


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_named_with_its_line_and_its_fix(slip: str, mistakes: Mistakes) -> None:
    lines = slip.splitlines()
    out = "".join(f"{line[2:]}\n" for line in lines if line[0] == "-")
    into = "".join(f"{line[2:]}\n" for line in lines if line[0] == "+")
    told = [line for line in lines if line[0] not in "-+"]
    assert told
    assert GOOD.count(f"\n{out}") == 1
    assert mistakes(GOOD.replace(f"\n{out}", f"\n{into}")) == told


def test_at_least_thirty_slips_are_told() -> None:
    assert len(SLIPS) >= 30


def test_all_mistakes_of_a_declaration_are_told_at_once(mistakes: Mistakes) -> None:
    text = GOOD
    for good, bad in (
        ('"42 4D"', '"4"'),
        ('type = "uint16", add = 4', 'type = "word", add = 4'),
        ('checksum = "sum16"', 'checksum = "sum"'),
        ('pm2_5 = { type = "uint16"', 'pm2_5 = { typ = "uint16"'),
        ("length = 12", "length = 0"),
        ("{id} 01", "{id} 0"),
        ('every = "10s"\n\n[bus.tank]', 'every = "10"\n\n[bus.tank]'),
    ):
        assert text.count(good) == 1
        text = text.replace(good, bad)
    assert [mistake.split(": ")[1] for mistake in mistakes(text)] == [
        "bus.dust.frame.sync",
        "bus.dust.frame.length.type",
        "bus.dust.frame.checksum",
        "bus.dust.frame.fields.pm2_5.typ",
        "bus.dust.sensor[1].every",
        "bus.tank.frame.length",
        "bus.tank.request.send",
    ]


def _places(table: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from _places(value, (*path, key))


TANK = {key: tomllib.loads(GOOD)["bus"]["tank"][key] for key in ("frame", "request")}


@pytest.mark.parametrize("path", list(_places(TANK)), ids=".".join)
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_whatever_stands_in_a_declaration_is_right_or_told(path: tuple[str, ...], odd: object) -> None:
    table: dict[str, Any] = copy.deepcopy(TANK)
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    with suppress(SettingsError):
        framer = declared_by(table).framer()
        framer.feed(bytes(range(256)))
        declaration(table)


def test_an_editor_accepts_the_good_file_and_marks_mistakes() -> None:
    validator = Validator(site_schema())
    assert list(validator.errors(tomllib.loads(GOOD), validator.root, "site")) == []
    for old, new in (
        ('sync = "42 4D"', 'sync = "42 4"'),
        ("length = 12", "length = 1"),
        ('checksum = "sum16"', 'checksum = "sum"'),
        ('type = "uint16", add', 'type = "int16", add'),
        ("bit = 3", "bite = 3"),
        ('send = "AA {id} 01"', 'send = "AA {address} 01"'),
        ('protocol = "declared"\nline = "9600 8N1"\n\n[bus.tank', 'protocol = "sml"\n\n[bus.tank'),
    ):
        assert old in GOOD
        assert not validator.valid(tomllib.loads(GOOD.replace(old, new))), new
