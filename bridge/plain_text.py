"""Text from elsewhere, shown to a person: names in files, values off the wire, what servers and programs say.

A terminal obeys some characters: an escape sequence colours, overwrites or answers, a line break begins a
line of somebody else's, a bidirectional override changes the order. So what is not printable becomes "�"
before it is shown. Markup means nothing here: text is text.

    one_line    a field, a cell, a sentence        json_text   for programs: escaped, so that nothing is lost
    lines       several of these, a line each      visible     what has its own line breaks
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_UNSEEN = "�"
_NOT_ASCII = re.compile(r"[^\n -~]")


def one_line(text: object) -> str:
    """Return the text without characters that would break the line, hide something or steer a terminal."""
    shown = str(text)
    return shown if shown.isprintable() else "".join(c if c.isprintable() else _UNSEEN for c in shown)


def lines(texts: Iterable[object]) -> str:
    """Return these texts, one on each line; a line break inside one does not begin another."""
    return "\n".join(map(one_line, texts))


def visible(text: object) -> str:
    """Return a text of several lines, of which everything else that is not printable is replaced."""
    return lines(str(text).split("\n"))


def json_text(data: object, *, indent: int | None = None) -> str:
    """Return a JSON document in which what is not printable is escaped; letters of all scripts are not."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    return _NOT_ASCII.sub(lambda char: char[0] if char[0].isprintable() else json.dumps(char[0])[1:-1], text)
