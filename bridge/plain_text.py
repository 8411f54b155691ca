"""Makes text from elsewhere safe to show: names in files, values off the wire, messages of servers.

A terminal obeys some characters: an escape sequence colours, overwrites or answers, a line break lets a text
pose as a line of ours, a bidirectional override changes the order. So unprintable characters become "�"
before a text is shown. Markup means nothing here: text is text.

    one_line    a field, a cell, a sentence        json_text   for programs: escaped, so that nothing is lost
    lines       several of these, a line each      visible     a text with line breaks of its own
    folded      sentences, broken at words to a terminal's width
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from typing import IO, Final

_REPLACEMENT = "�"
_DEEPER: Final = "    "  # than a command below a sentence
_NARROWEST: Final = 20  # columns: a serial console says 0
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


def folded(text: str, stream: IO[str] | None) -> str:
    """Return sentences folded at words to the width of the terminal that a stream is; else as they are.

    A row that is indented, or begins with "next:", is for copying, or has columns: it stays whole, and the
    terminal breaks it without a line break of ours in what is copied.
    """
    columns = _columns(stream)
    if columns is None or all(len(row) <= columns for row in text.split("\n")):
        return text
    from textwrap import wrap

    rows = []
    for row in text.split("\n"):
        if len(row) <= columns or row.startswith((" ", "next:")):
            rows.append(row)
        else:
            rows += wrap(
                row, columns, subsequent_indent=_DEEPER, break_long_words=False, break_on_hyphens=False
            )
    return "\n".join(rows)


def _columns(stream: IO[str] | None) -> int | None:
    """Return the width of a terminal; None for anything else, and for one that does not know it."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream else 0
    except (OSError, ValueError):  # no terminal; a stream in memory
        return None
    return columns if columns >= _NARROWEST else None


def json_text(data: object, *, indent: int | None = None) -> str:
    """Return a JSON document in which unprintable characters are escaped; letters of all scripts stay."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    return _NOT_ASCII.sub(lambda char: char[0] if char[0].isprintable() else json.dumps(char[0])[1:-1], text)
