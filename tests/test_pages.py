"""The manual page and the completion that the Debian package brings: written from the commands, complete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from bridge.commands.terminal.app import app
from bridge.release import VERSION

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what becomes /usr/share."""
    folder = tmp_path_factory.mktemp("share")
    subprocess.run([sys.executable, ROOT / ".ci/deb/pages.py", folder], cwd=ROOT, check=True, timeout=60)
    return folder


def test_the_manual_page_names_every_command_and_option_with_its_help(share: Path) -> None:
    page = (share / "man/man1/serial-bridge.1").read_text().replace("\\-", "-")
    assert page.startswith('.TH SERIAL-BRIDGE 1 "')
    assert f'"serial-bridge {VERSION}"' in page
    commands = dict(get_command(app).commands)
    for group in [name for name, command in commands.items() if hasattr(command, "commands")]:
        commands |= {f"{group} {name}": each for name, each in commands.pop(group).commands.items()}
    for name, command in commands.items():
        section = page.partition(f".SS serial-bridge {name}")[2].partition("\n.S")[0]
        assert " ".join(command.help.split()) in section
        for parameter in command.params:
            assert (parameter.help or "").replace("\\", "\\e") in section
            assert parameter.param_type_name == "argument" or ", ".join(parameter.opts) in section


def test_no_line_of_the_manual_page_is_taken_for_a_request_by_mistake(share: Path) -> None:
    lines = (share / "man/man1/serial-bridge.1").read_text().splitlines()
    requests = {line.split()[0] for line in lines if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".TP", ".B", ".I"}


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("bash-completion/completions/serial-bridge", "complete -o default -F "),
        ("zsh/vendor-completions/_serial-bridge", "#compdef serial-bridge"),
        ("fish/vendor_completions.d/serial-bridge.fish", "complete --command serial-bridge "),
    ],
)
def test_each_shell_finds_its_completion_where_debian_looks(share: Path, place: str, line: str) -> None:
    assert line in (share / place).read_text()


@pytest.mark.end_to_end
def test_bash_completes_a_command_and_its_options(share: Path, tmp_path: Path) -> None:
    program = tmp_path / "serial-bridge"
    main = "import sys; sys.argv[0] = 'serial-bridge'; from bridge.commands.terminal.app import main; main()"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{main}" "$@"\n')
    program.chmod(0o755)
    script = share / "bash-completion/completions/serial-bridge"
    typed = """
    source "$0"
    COMP_WORDS=(serial-bridge "$@"); COMP_CWORD=$#
    _serial_bridge_completion serial-bridge
    echo "${COMPREPLY[@]}"
    """
    answers = []
    for words in (["stat"], ["status", "--w"], ["spool", "dr"]):
        done = subprocess.run(
            ["bash", "-c", typed, script, *words],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        answers.append(done.stdout.strip())
    assert answers == ["status", "--watch", "drop"]
