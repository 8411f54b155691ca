"""Templates to HTML: everything that is put into one is text, whatever it looks like.

Names in site.toml, values off a wire and messages of servers are hostile. So each is escaped (`autoescape`),
and freed of characters that would steer a reader's eye (`finalize`). Only `Markup` of our own files is not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bridge.commands.pages.german import GERMAN, in_words, translated
from bridge.plain_text import one_line

_FOLDER: Final = Path(__file__).parent
STYLE: Final = _FOLDER / "style.css"
LANGUAGES: Final = ("en", "de")


@cache
def environment(language: str) -> Environment:
    """Return the templates in a language: "en" or "de"."""
    templates = Environment(
        autoescape=True,
        loader=FileSystemLoader(_FOLDER / "templates"),
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["language"] = language
    templates.globals["_"] = (lambda text: GERMAN.get(text, text)) if language == "de" else str
    templates.filters["said"], templates.filters["words"] = translators(language)
    return templates


def translators(language: str) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """Return what says a sentence of the classifier in a language, and what says states and counters."""
    return (translated, in_words) if language == "de" else (str, str)


def inline_style() -> Markup:
    """Return the style sheet, for a page that has no other file."""
    return Markup(STYLE.read_text("utf-8"))  # noqa: S704  # our own file


def _visible(value: object) -> object:
    return value if isinstance(value, Markup) else one_line(value)
