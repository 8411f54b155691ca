"""The one line that cannot be found out: the server, and what lets it create the devices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.commands.setup.context import Answers, Context
from bridge.commands.setup.dialogue import Dialogue
from bridge.commands.setup.draft import Draft
from bridge.commands.setup.server_steps import ServerSteps, server_line
from tests.support.site import site_head


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("tb.example.com", "coap://tb.example.com"),
        ("127.0.0.1:7000", "coap://127.0.0.1:7000"),
        ("coaps://tb.example.com", "coaps://tb.example.com"),
        ("  tb.example.com   KEY  SECRET ", "coap://tb.example.com KEY SECRET"),
    ],
)
def test_a_host_is_enough_and_key_and_secret_may_follow(typed: str, line: str) -> None:
    assert server_line(typed) == line


@pytest.mark.parametrize(
    "typed", ["", "tb.example.com KEY", "a b c d", "http://tb.example.com", "coap://x/y"]
)
def test_anything_else_is_said(typed: str) -> None:
    with pytest.raises(ValueError, match=r"write|must have|no scheme|CoAP"):
        server_line(typed)


def test_a_secret_that_is_replaced_is_recorded_as_one_that_was_there(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    sensor = '[[bus.meters.sensor]]\nname = "room"\n'
    site.write_text(site_head(adapter="/dev/null", spool="spool.db") + sensor)
    answers = Answers(url="127.0.0.1", device_key="K", device_secret="S", tokens={"room": "A" * 20})
    draft = Draft(site, tmp_path / "credentials.toml")
    steps = ServerSteps(Context(draft, Dialogue(is_silent=True), answers))
    for _time in range(2):
        steps.name_server()
        steps.obtain_tokens()
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    changes = [change for line in lines for change in json.loads(line)["changes"]]
    assert [(change["what"], change["before"], change["after"]) for change in changes] == [
        ("credentials.toml: provisioning", None, "set"),
        ("credentials.toml: sensors.room", None, "token, pasted"),
        ("credentials.toml: provisioning", "set", "set anew"),
        ("credentials.toml: sensors.room", "another token", "token, pasted"),
    ]
