"""What `setup` writes, a decision at a time, into files that a person may have begun."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bridge.commands.setup.draft import Draft
from bridge.config import load
from bridge.errors import ConfigError

BEGUN = """\
# barn, left of the road
site = "barn-7"     # as on the map

[thingsboard]
# url = "coap://…"

[bus.heat]
adapter = "/dev/ttyHEAT"    # white cable
protocol = "mbus"
line = "2400 8E1"
[[bus.heat.sensor]]
name = "boiler"
address = 5
every = "15m"
# end of the file"""


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    return Draft(tmp_path / "site.toml", tmp_path / "credentials.toml")


def test_from_nothing_to_two_files_that_load(draft: Draft) -> None:
    assert (draft.tables, draft.url, draft.names, draft.without_credential) == ({}, "", [], [])
    draft.begin()
    draft.set_adapter("meters", "/dev/ttyAMA0")
    draft.set_line("meters", "modbus-rtu", "9600 8N1")
    draft.add_sensor("meters", {"name": "a", "address": 1, "model": "eastron-sdm630", "every": "10s"})
    draft.add_sensor(
        "meters",
        {"name": "b", "address": 2, "every": "10s", "registers": {"x y": {"holding": 0, "divide": 10}}},
    )
    draft.set_url("coap://tb.example.com")
    assert draft.without_credential == ["a", "b"]
    draft.set_tokens({"a": "TokenA"})
    draft.set_provisioning("key", "secret")
    assert draft.without_credential == ["b"]
    assert draft.credentials.stat().st_mode & 0o777 == 0o600
    site, credentials = load(draft.site, draft.credentials)
    assert list(site.sensors) == ["a", "b"]
    assert site.spool.path == draft.site.parent / "spool.db"
    assert list(credentials.sensors) == ["a"]
    assert credentials.provisioning is not None


def test_what_a_person_has_written_stays(draft: Draft) -> None:
    draft.site.write_text(BEGUN)
    draft.begin()
    draft.set_adapter("heat", "/dev/ttyHEAT")
    assert draft.site.read_text() == BEGUN, "nothing was decided otherwise"
    draft.set_adapter("meters", "serial:AB0JPQ7X")
    draft.set_line("meters", "modbus-rtu", "9600 8N1")
    draft.add_sensor("heat", {"name": "boiler-2", "address": 6, "every": "15m"})
    draft.set_url("coap://tb.example.com")
    text = draft.site.read_text()
    assert all(line in text for line in BEGUN.splitlines())
    tables = tomllib.loads(text)
    assert [block["name"] for block in tables["bus"]["heat"]["sensor"]] == ["boiler", "boiler-2"]
    assert tables["bus"]["meters"] == {
        "adapter": "serial:AB0JPQ7X",
        "protocol": "modbus-rtu",
        "line": "9600 8N1",
    }
    assert tables["thingsboard"]["url"] == "coap://tb.example.com"


def test_a_decision_taken_again_changes_its_line_alone(draft: Draft) -> None:
    draft.site.write_text(BEGUN)
    draft.set_adapter("heat", "serial:X1")
    draft.set_line("heat", "mbus", "300 8E1")
    assert draft.site.read_text() == BEGUN.replace('"/dev/ttyHEAT"', '"serial:X1"').replace("2400", "300")


def test_a_list_of_sensors_in_one_line_is_left_to_the_person(draft: Draft) -> None:
    text = 'site = "x"\n[bus.m]\nsensor = [ { name = "a" } ]\n'
    draft.site.write_text(text)
    with pytest.raises(ConfigError, match="write this by hand"):
        draft.add_sensor("m", {"name": "b"})
    assert draft.site.read_text() == text


def test_where_nothing_can_be_written_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="use sudo, or name a file with --site"):
        Draft(tmp_path / "file" / "site.toml", tmp_path / "credentials.toml").begin()


def test_a_token_leaves_the_others_and_what_was_asked_for(draft: Draft) -> None:
    draft.credentials.touch(mode=0o600)
    draft.credentials.write_text('[sensors]\na = "A"   # the old one\n\n[pending]\nb = "B"\nc = "C"\n')
    draft.set_tokens({"b": "Pasted"})
    tables = tomllib.loads(draft.credentials.read_text())
    assert tables == {"sensors": {"a": "A", "b": "Pasted"}, "pending": {"c": "C"}}
    assert "# the old one" in draft.credentials.read_text()
