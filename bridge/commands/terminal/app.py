"""The command line `serial-bridge`: finds a command by its place in `bridge.commands`, and calls it.

A command is imported when it is called, and imports its own needs when it runs: a service never pays for what
only an installer uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.commands.terminal import help_text, output
from bridge.exits import foreseen_errors
from bridge.release import VERSION

COMMANDS = Path(__file__).parents[1]
SECTIONS = ("Set up", "Every day", "When stuck", "Services", "Around it")  # of the list that --help prints


class Commands(Mapping[str, Any]):
    """The commands by name; each is imported when it is asked for."""

    def __init__(self) -> None:
        self._modules = {
            place.stem.rstrip("_"): f"bridge.commands.{place.stem}" + (".command" if place.is_dir() else "")
            for place in sorted(COMMANDS.iterdir())
            if (place / "command.py").is_file() or (place.suffix == ".py" and place.stem != "__init__")
        }
        self._commands: dict[str, Any] = {}

    def section(self, name: str) -> str:
        """Return the section of the list of commands in which a command stands, one of `SECTIONS`."""
        section: str = import_module(self._modules[name]).SECTION
        return section

    def __getitem__(self, name: str) -> Any:
        if name not in self._commands:
            self._commands[name] = _click_command(name, import_module(self._modules[name]).command)
        return self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


class CommandLine(help_text.CommandGroup):
    """The group of all commands; `--help` lists them by what they are for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()  # type: ignore[assignment]  # nothing is ever added to it

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, sorted."""
        return list(self.commands)

    def sections(self) -> Iterator[tuple[str, list[str]]]:
        """Return each section with the names of its commands."""
        assert isinstance(self.commands, Commands)
        for section in SECTIONS:
            yield section, [name for name in self.commands if self.commands.section(name) == section]


def _click_command(name: str, command: Any) -> Any:
    """Return the command that Typer makes of a function, or of a `typer.Typer` with several."""
    if isinstance(command, typer.Typer):
        group = typer.main.get_command(command)
        group.name = name
        return group
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, cls=help_text.Command)(command)
    return typer.main.get_command(single)


app = typer.Typer(
    name="serial-bridge",
    cls=CommandLine,
    help="Reads sensors on serial buses and delivers every reading to ThingsBoard over CoAP.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=help_text.OPTIONS,
)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"serial-bridge {VERSION}")
        raise typer.Exit


@app.callback()
def serial_bridge(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that come before a command."""


def main() -> None:
    """Run the command line; print every foreseen error as one sentence on standard error."""
    output.prepare()
    with foreseen_errors(), output.system_errors():
        app()
