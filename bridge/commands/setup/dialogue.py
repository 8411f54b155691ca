"""Questions to the person at the cabinet, or answers from the options where nobody can be asked.

Every question has an answer that Enter gives, if there is one that can be found out. "b" goes back a step.
Sentences are wrapped at words to the terminal's width.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Sequence
from getpass import getpass
from typing import Final

import typer

from bridge.commands.terminal.options import say
from bridge.errors import BridgeError
from bridge.plain_text import one_line

BACK: Final = "b"
_WIDEST: Final = 100
_INDENT: Final = "  "


class Back(Exception):
    """The person wants to go back a step."""


class NobodyToAsk(BridgeError):
    """A question has no answer in the options, and there is no terminal to ask it on."""


class Dialogue:
    """The conversation.

    Args:
        is_silent: nobody is asked: each question takes the answer that Enter would give.
    """

    def __init__(self, *, is_silent: bool) -> None:
        self.is_silent = is_silent
        self._width = min(_WIDEST, shutil.get_terminal_size().columns) - 1

    def heading(self, number: int, total: int, title: str) -> None:
        """Begin a step."""
        say(f"\n{number}/{total} {title}")

    def tell(self, text: object, *, indent: str = _INDENT) -> None:
        """Say a sentence, wrapped at words; its further lines are indented deeper."""
        deeper = indent + "  "
        rows = textwrap.wrap(one_line(text), self._width, initial_indent=indent, subsequent_indent=deeper)
        say("\n".join(rows))

    def confirm(self, question: str) -> bool:
        """Return whether the person agrees; Enter does. Raises `Back`."""
        if self.is_silent:
            return True
        while True:
            answer = self._read(f"{question} [Enter = yes, n = no, b = back]").lower()
            if answer in ("", "y", "yes", "j", "ja", "o", "oui", "s", "si", "sí"):
                return True
            if answer in ("n", "no", "nein", "non"):
                return False

    def ask(
        self,
        question: str,
        *,
        option: str,
        default: str | None = None,
        check: Callable[[str], str] = str,
        is_secret: bool = False,
        default_text: str | None = None,
    ) -> str:
        """Return what the person types; Enter gives the default, if there is one.

        Args:
            question: without its default, which is shown behind it.
            option: what says the answer where nobody can be asked.
            default: None: there must be an answer.
            check: returns the answer in its final form, or raises ValueError with the rule.
            is_secret: do not show what is typed.
            default_text: the default in words.

        Raises:
            Back: the person wants the step before.
            NobodyToAsk: there is no default.
        """
        if self.is_silent:
            if default is None:
                raise NobodyToAsk(f"{question}: there is no terminal to ask on, say it with {option}")
            return default
        shown = "" if default is None else f" [Enter = {default_text or default}]"
        while True:
            answer = self._read(f"{question}{shown}", is_secret=is_secret)
            if not answer and default is not None:
                return default
            try:
                return check(answer)
            except ValueError as error:
                self.tell(error)

    def choose(
        self, question: str, choices: Sequence[str], *, option: str, check: Callable[[str], str] | None = None
    ) -> str | None:
        """Return the choice; None for none of them, which Enter gives.

        Args:
            question: without the choices, which are numbered and shown before it.
            choices: a number is typed for each.
            option: what says the answer where nobody can be asked.
            check: takes what is no number, returns it in its final form, or raises ValueError with the rule.

        Raises:
            Back: the person wants the step before.
        """
        for number, choice in enumerate(choices, 1):
            self.tell(f"{number}  {choice}", indent=_INDENT * 2)

        def parse(text: str) -> str:
            if text.isdecimal() and 1 <= int(text) <= len(choices):
                return choices[int(text) - 1]
            if check is not None and not text.isdecimal():
                return check(text)
            raise ValueError(f"write a number from 1 to {len(choices)}")

        return self.ask(question, option=option, default="", check=parse, default_text="none of them") or None

    def _read(self, question: str, *, is_secret: bool = False) -> str:
        rows = textwrap.wrap(
            one_line(question), self._width - 8, initial_indent=_INDENT, subsequent_indent=_INDENT
        )
        shown_question = "\n".join(rows)
        if is_secret:
            answer = _read_secret(f"{shown_question}: ")
        else:
            answer = typer.prompt(shown_question, default="", show_default=False, prompt_suffix=": ")
        text = str(answer).strip()
        if text.lower() == BACK:
            raise Back
        return text


def _read_secret(question: str) -> str:
    """Return what is typed, which is not shown: the question appears when the terminal has stopped to echo.

    Raises:
        Abort: Ctrl-C, or the end of the input.
    """
    try:
        return getpass(question)
    except (KeyboardInterrupt, EOFError):
        raise typer.Abort from None
