"""How a service starts: its command line is read without what only a person needs."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from bridge.commands.terminal.app import app
from bridge.services import SITE, VARIABLES, Order

HERE = Path("s.toml")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("read meters", Order("read", "meters")),
        ("read meters --site s.toml", Order("read", "meters", HERE)),
        ("read --site=s.toml meters -vv", Order("read", "meters", HERE, verbose=2)),
        ("read -v meters -v", Order("read", "meters", verbose=2)),
        ("read m --devices /dev/sbridge", Order("read", "m", devices=Path("/dev/sbridge"))),
        ("uplink", Order("uplink")),
        ("uplink --credentials c.toml", Order("uplink", credentials=Path("c.toml"))),
        ("web serve", Order("web serve")),
        ("web serve --site s.toml -v", Order("web serve", site=HERE, verbose=1)),
        ("run --site s.toml --site t.toml --verbose", Order("run", site=Path("t.toml"), verbose=1)),
    ],
)
def test_an_order_to_start_is_understood(line: str, order: Order) -> None:
    assert Order.of(line.split()) == order


@pytest.mark.parametrize(
    "line",
    [
        "", "check", "--version", "read", "read a b", "read --help", "read a --help", "run -h", "run meters",
        "uplink a", "uplink --devices d", "uplink --devices=d", "read a --site", "read a --site=", "run -vvv",
        "run --verbos", "run -x", "read -- a", "web", "web pair", "web --site s",
        "web serve --idle 5", "web serve --credentials c", "web serve all", "Run", "run --sites s",
    ],
)  # fmt: skip
def test_whatever_may_need_an_answer_is_left_to_the_command_line(line: str) -> None:
    assert Order.of(line.split()) is None


def test_variables_stand_for_options_and_yield_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for option, variable in VARIABLES.items():
        monkeypatch.setenv(variable, f"of{option}")
    named = Path("of--site"), Path("of--credentials"), Path("of--devices")
    assert Order.of(["run"]) == Order("run", None, *named)
    assert Order.of(["run", "--site", "s.toml"]) == Order("run", None, HERE, *named[1:])
    monkeypatch.setenv("SERIAL_BRIDGE_SITE", "")
    order = Order.of(["run"])
    assert order is not None
    assert order.site == SITE


@pytest.mark.parametrize("name", ["read", "uplink", "run"])
def test_the_help_of_a_service_lists_what_its_order_takes(name: str) -> None:
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts if option[0] == "-"}
    bus = ["meters"] * (name == "read")
    for option in options - {"--help", "-h"}:
        value = ["x"] if option in VARIABLES else []
        assert Order.of([name, *bus, option, *value]) is not None, option
    assert options & set(VARIABLES) == {
        option for option in VARIABLES if Order.of([name, *bus, option, "x"]) is not None
    }
    assert list(inspect.signature(command.callback).parameters)[-1] == "verbose"


def test_a_mistake_ends_a_service_with_its_sentence(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    command = [sys.executable, "-m", "bridge", "read", "meters", "--site", str(site)]
    done = subprocess.run(
        command, env={**os.environ, "CI": "1"}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.endswith(f"{site}: there is no such file: write it, or name it with --site\n")
