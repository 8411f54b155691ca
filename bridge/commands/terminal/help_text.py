"""How `--help` reads: for the person at the cabinet, in whole sentences, without a programmer's types.

Typer's own pages cut the sentence of a command to one line, and show `BUS <str>`, `{BUS}` and `x>=1`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from bridge.errors import BridgeError

_TYPE = re.compile(r" <[^>]*>")
_FROM_TO = re.compile(r"(?P<least>[\d.]+)<=x<=(?P<most>[\d.]+)(?=; |\]$)")
_FROM = re.compile(r"x>=(?P<least>[\d.]+)(?=; |\]$)")
_BOUNDS = re.compile(r"at least [\d.]+|[\d.]+ to [\d.]+")
_NUMBERS: Final = {
    "a whole number": re.compile("valid integer"),
    "a number": re.compile("valid (number|float)|(less|greater) than|not in the range|finite number"),
}
"""What must be written, by what Typer's libraries say instead; their words differ with their versions."""
_UNBOUNDED: Final = 10_000  # characters of a sentence that is not cut

OPTIONS: Final = {"help_option_names": ["-h", "--help"]}


class _Formatter(typer.Context.formatter_class):  # type: ignore[misc, valid-type]  # Typer names its class nowhere else
    """Writes the lists of arguments, options and commands in plain words."""

    def write_dl(self, rows: Sequence[tuple[str, str]], *places: Any, **spaces: Any) -> None:
        super().write_dl([(_TYPE.sub("", term), _in_words(text)) for term, text in rows], *places, **spaces)


class _Context(typer.Context):
    formatter_class = _Formatter


class Command(TyperCommand):
    """A command whose `--help` is in plain words."""

    context_class = _Context

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the arguments; one that breaks the rule of its option is answered with that rule."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            rule = error.param.get_help_record(ctx) if error.param else None
            error.message = _rule_in_words(error.message, _in_words(rule[1]) if rule else "")
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a question where no terminal is to answer on is an error with a way out.

        Raises:
            BridgeError: standard input ended before it answered.
        """
        try:
            return super().invoke(ctx)
        except typer.Abort:
            if sys.stdin is not None and sys.stdin.isatty():
                raise  # Ctrl-C at the question
            typer.echo(err=True)  # the question stands on a line of its own
            raise BridgeError(
                "there is no terminal to ask on: give the answer as an option, which "
                f"serial-bridge {' '.join(_names(ctx))} --help lists, such as --yes"
            ) from None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what stands behind the command's name: BUS, without braces, is required."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class CommandGroup(TyperGroup):
    """A command with commands below it; `--help` shows the whole first sentence of each."""

    context_class = _Context

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, a paragraph for each section."""
        for title, names in self.sections():
            with formatter.section(title):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(_UNBOUNDED)) for name in names]
                )

    def sections(self) -> Iterable[tuple[str, list[str]]]:
        """Return the titles of the paragraphs with the names of their commands."""
        return [("Commands", list(self.commands))]


def group(sentence: str) -> typer.Typer:
    """Return a command that has commands below it, none yet; the sentence says what it is for."""
    return typer.Typer(
        help=sentence,
        cls=CommandGroup,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        context_settings=OPTIONS,
    )


def _names(ctx: Any) -> list[str]:
    """Return the words by which a command is called, without that of the program."""
    return [*_names(ctx.parent), ctx.info_name] if ctx.parent else []


def _in_words(text: str) -> str:
    """Return the help of an option with its bounds in words."""
    return _FROM.sub(r"at least \g<least>", _FROM_TO.sub(r"\g<least> to \g<most>", text))


def _rule_in_words(message: str, help_line: str) -> str:
    """Return what a number must be, where `message` only says that it is none, or outside its bounds.

    Args:
        message: in the words of a library; one about anything else comes back without their prefix.
        help_line: of the argument or option, which ends with its bounds.
    """
    if (kind := next((kind for kind, words in _NUMBERS.items() if words.search(message)), None)) is None:
        return message.removeprefix("Value error, ")
    if (bounds := _BOUNDS.search(help_line)) is None:
        return f"write {kind}"
    return f"write {kind} {'from' if ' to ' in bounds[0] else 'of'} {bounds[0]}"
