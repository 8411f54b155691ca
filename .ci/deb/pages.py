"""Writes the manual page and the completion of each shell, from the commands themselves.

    python .ci/deb/pages.py FOLDER      FOLDER is what becomes /usr/share

What stands there cannot differ from what the commands take: nothing of it is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.completion import get_completion_script
from typer.main import get_command

from bridge.commands.terminal.app import app
from bridge.release import RELEASED, VERSION

NAME = "serial-bridge"
COMPLETIONS = {
    "bash": "bash-completion/completions/serial-bridge",
    "zsh": "zsh/vendor-completions/_serial-bridge",
    "fish": "fish/vendor_completions.d/serial-bridge.fish",
}
FILES = """\
.SH FILES
.TP
.I /etc/serial-bridge/site.toml
The site: where to deliver, the buses and their sensors.
.TP
.I /etc/serial-bridge/credentials.toml
The access token or certificate of each sensor; mode 0600.
.TP
.I /var/lib/serial-bridge/
Readings that were not delivered yet.
.SH EXIT STATUS
0 done, 1 failed, 2 wrong usage or configuration.
"""


def main(share: Path) -> None:
    """Write all of them below a folder."""
    command = get_command(app)
    _write(share / "man/man1" / f"{NAME}.1", man_page(command))
    for shell, place in COMPLETIONS.items():
        script = get_completion_script(prog_name=NAME, complete_var="_SERIAL_BRIDGE_COMPLETE", shell=shell)
        _write(share / place, f"{script}\n")


def man_page(command: Any) -> str:
    """Return the manual page of a command with commands below it, as roff."""
    lines = [
        f'.TH SERIAL\\-BRIDGE 1 "{RELEASED:%Y-%m-%d}" "{NAME} {VERSION}" "Serial bridge"',
        ".SH NAME",
        f"{_text(NAME)} \\- {_text(command.help.rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(NAME)}\nCOMMAND [ARGUMENTS]",
        ".SH OPTIONS",
        *_options(command),
        ".SH COMMANDS",
        *_commands(command, NAME),
    ]
    return "\n".join(lines) + "\n" + FILES


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
            continue
        arguments = [
            _metavar(each) if each.required else f"[{_metavar(each)}]"
            for each in command.params
            if each.param_type_name == "argument"
        ]
        yield f".SS {_text(' '.join([path, name, *arguments]))}"
        yield _text(" ".join((command.help or "").split()))
        yield from _options(command)


def _options(command: Any) -> Iterator[str]:
    for option in command.params:
        names = ", ".join(option.opts) if option.param_type_name == "option" else _metavar(option)
        if option.param_type_name == "option" and not option.is_flag and not option.count:
            names += f" {_metavar(option)}"
        yield f".TP\n.B {_text(names)}\n{_text(option.help or '')}"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _text(text: str) -> str:
    r"""Return text that roff prints as it stands: no control line, and "-" as the hyphen that is typed."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
