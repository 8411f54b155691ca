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


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("peek meters x input 0-1", "'UNIT': write a whole number from 0 to 255"),
        ("peek meters 300 input 0-1", "'UNIT': write a number from 0 to 255"),
        ("audit --last x", "'--last': write a whole number of at least 1"),
        ("audit --last -1", "'--last': write a number of at least 1"),
        ("sniff meters --seconds soon", "'--seconds': write a number of at least 0.1"),
        ("web serve --idle nan", "'--idle': write a number of at least 1"),
        ("report --language fr", "'--language': 'fr' is not one of 'en', 'de'."),
        ("spool export --format xml", "'--format': 'xml' is not one of 'jsonl', 'csv'."),
        ("demo --seconds 1", "'--seconds': write a number of at least 5"),
    ],
)
def test_a_value_that_breaks_a_rule_is_answered_with_the_rule(line: str, rule: str) -> None:
    shown = CliRunner().invoke(app, line.split())
    assert shown.exit_code == 2
    assert shown.stderr.splitlines()[-1] == f"Error: Invalid value for {rule}"
