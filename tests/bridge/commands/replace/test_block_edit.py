"""One block changes, and every other character of the file stays."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.commands.replace.block_edit import changed_text, edit_block
from bridge.config import Offset
from bridge.errors import ConfigError

SINCE = datetime(2026, 11, 29, 16, 40, tzinfo=UTC)
HALL = """\
site = "x"                 # ours
[bus.m]
adapter = "/dev/x"

[[bus.m.sensor]]   # left
name = "a"
address = 1        # DIP
tags = [
  1,
  2,
]
[bus.m.sensor.registers]
q = { holding = 0 }   # r

# the right cabinet

[[bus.m.sensor]]
name = "b"
address = 2
every = "1s"
[bus.n]
adapter = "/dev/y"
"""


def changed(text: str, sensor: str, keys: dict[str, Any], offsets: dict[str, Offset | None]) -> str:
    return changed_text(Path("site.toml"), text, "m", sensor, keys, offsets)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("sensor", ["a", "b"])
def test_a_key_changes_in_its_place_and_an_offset_gets_a_line_in_the_block(sensor: str, ending: str) -> None:
    text = HALL.replace("\n", ending)
    after = changed(text, sensor, {"address": 9}, {"energy": Offset(12.5, SINCE)})
    old, new = text.splitlines(keepends=True), after.splitlines(keepends=True)
    extra = [line for line in new if line not in old]
    place = "address = 9        # DIP" if sensor == "a" else "address = 9"
    offset = "offsets.energy = { add = 12.5, since = 2026-11-29T16:40:00Z }"
    assert sorted(extra) == sorted([place + ending, offset + ending])
    old_address = "address = 1        # DIP" if sensor == "a" else "address = 2"
    assert [line for line in new if line not in extra] == [
        line for line in old if line != old_address + ending
    ]
    (block,) = [each for each in tomllib.loads(after)["bus"]["m"]["sensor"] if each["name"] == sensor]
    assert block["address"] == 9
    assert block["offsets"] == {"energy": {"add": 12.5, "since": SINCE}}


def test_a_second_time_the_offset_changes_in_its_place_and_can_go() -> None:
    once = changed(HALL, "a", {}, {"energy": Offset(12.5, SINCE), "1-0:1.8.0": Offset(-3, SINCE)})
    assert '"1-0:1.8.0"' in once
    twice = changed(once, "a", {}, {"energy": Offset(99, SINCE), "1-0:1.8.0": None})
    assert "add = 99," in twice
    assert "1-0:1.8.0" not in twice
    assert len(twice.splitlines()) == len(HALL.splitlines()) + 1
    assert "# the right cabinet" in twice


def test_an_address_of_the_other_kind_takes_the_place_of_the_old_one() -> None:
    after = changed(HALL, "a", {"address": None, "id": "12345678"}, {})
    (block, _) = tomllib.loads(after)["bus"]["m"]["sensor"]
    assert block == {"name": "a", "id": "12345678", "tags": [1, 2], "registers": {"q": {"holding": 0}}}
    assert "# the right cabinet" in after


def test_blocks_written_in_one_line_are_edited_too() -> None:
    text = 'site = "x"\n[bus.m]\nsensor = [ { name = "a", address = 1 }, { name = "b", address = 2 } ]\n'
    after = changed(text, "b", {"address": 5}, {"e": Offset(1, SINCE)})
    first, second = tomllib.loads(after)["bus"]["m"]["sensor"]
    assert first == {"name": "a", "address": 1}
    assert second == {"name": "b", "address": 5, "offsets": {"e": {"add": 1, "since": SINCE}}}


def test_a_block_that_is_gone_meanwhile_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(HALL)
    with pytest.raises(ConfigError, match="bus m has no sensor c any more"):
        edit_block(path, "m", "c", {"address": 1}, {})
    assert path.read_text() == HALL
