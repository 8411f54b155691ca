"""How `--help` reads on a terminal of 80 columns: whole sentences, in an installer's words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from bridge.commands.terminal.app import app

GROUP = get_command(app)
PATHS = [[]] + [
    [name, *below]
    for name, command in GROUP.commands.items()  # type: ignore[attr-defined]  # it is a group
    for below in ([], *([each] for each in getattr(command, "commands", {})))
]


def _help(path: list[str]) -> str:
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_a_help_page_shows_no_programmers_notation(path: list[str]) -> None:
    page = _help(path)
    assert max(map(len, page.splitlines())) <= 80
    assert not re.search(r"<\w|[{}]|\[\[|[<>]=", page), page
    assert "--install-completion" not in page or not path


def _sentence(command: Any) -> str:
    return " ".join((command.help or "").split("\n\n")[0].split())


def test_the_list_of_commands_cuts_no_sentence() -> None:
    for path in ([], ["spool"], ["web"], ["thingsboard"]):
        page = " ".join(_help(path).split())
        group: Any = GROUP
        for name in path:
            group = group.commands[name]
        for name, command in group.commands.items():
            assert _sentence(command).rstrip(".") in page, name


def test_bounds_and_arguments_are_in_words() -> None:
    assert "[0 to 255; required]" in _help(["peek"])
    assert "peek [OPTIONS] BUS UNIT TABLE FIRST-LAST\n" in _help(["peek"])
    assert "[default: 40; at least 5]" in _help(["demo"])
    assert "status [OPTIONS] [SENSOR]\n" in _help(["status"])
