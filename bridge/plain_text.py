"""Makes text from elsewhere safe to show: names in files, values off the wire, messages of servers.

A terminal obeys some characters: an escape sequence colours, overwrites or answers, a line break lets a text
pose as a line of ours, a bidirectional override changes the order. So unprintable characters become "�"
before a text is shown. Markup means nothing here: text is text.

    one_line    a field, a cell, a sentence        json_text   for programs: escaped, so that nothing is lost
    lines       several of these, a line each      visible     a text with line breaks of its own
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_REPLACEMENT = "�"
_NOT_ASCII = re.compile(r"[^\n -~]")


def one_line(text: object) -> str:
    """Return the text without characters that would break the line, hide something or steer a terminal."""
    line = str(text)
    return line if line.isprintable() else "".join(c if c.isprintable() else _REPLACEMENT for c in line)


def lines(texts: Iterable[object]) -> str:
    """Return these texts, one on each line; a line break inside one does not begin another."""
    return "\n".join(map(one_line, texts))


def visible(text: object) -> str:
    """Return a text of several lines, with everything else that is not printable replaced."""
    return lines(str(text).split("\n"))


def json_text(data: object, *, indent: int | None = None) -> str:
    """Return a JSON document in which unprintable characters are escaped; letters of all scripts stay."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    return _NOT_ASCII.sub(lambda char: char[0] if char[0].isprintable() else json.dumps(char[0])[1:-1], text)
