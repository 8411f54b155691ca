"""The line of each key in a TOML file.

tomllib returns the values of a file, not their lines. This walks over the same text once more and notes the
line of every table, key and list element. It validates nothing: it only runs on text that tomllib has
accepted, so whatever is no string, list or table is a number, a date or a boolean, and ends at the next
comma, bracket, comment or line end.

A path is what one would write after the parsed file to reach a value: ("bus", "meters", "sensor", 0, "name").
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")  # between statements, and inside lists
_PART = re.compile(r""" [A-Za-z0-9_-]+ | "(?:\\.|[^"\\])*" | '[^']*' """, re.VERBOSE)
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_STRING = re.compile(
    r'''
      """ (?: \\. | [^\\] )*? """ "{0,2}     # up to two quotes may stand before the closing three
    | \'\'\' .*? \'\'\' '{0,2}
    | " (?: \\. | [^"\\] )* "
    | ' [^']* '
    ''',
    re.VERBOSE | re.DOTALL,
)
_HEADER_OPENS = re.compile(r"\[\[?[ \t]*")
_HEADER_ENDS = re.compile(r"[ \t]*\]\]?")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def toml_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, counted from 1, of every table, key and list element of a TOML text.

    A table without a header of its own (`a`, where only [a.b] is written) has the line that first names it.

    Args:
        text: valid TOML; of anything else the result means nothing.
    """
    return _Walk(text).lines


def nearest_line(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the line of `path`; if `path` is not in the file, that of the table it is missing from."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


class _Walk:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._starts = [match.end() for match in re.finditer("\n", text)]
        self._elements: dict[KeyPath, int] = {}  # of each array of tables, how many there are so far
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(text):
            table = self._header() if text[self._at] == "[" else self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        """Read `[a.b]` or `[[a.b]]`; return the table that the pairs below it belong to."""
        line = self._line()
        opening = self._skip(_HEADER_OPENS)
        *parents, name = self._key()
        self._skip(_HEADER_ENDS)
        path: KeyPath = ()
        for parent in parents:
            path = self._latest((*path, parent))
            self.lines.setdefault(path, line)
        path = (*path, name)
        if opening.startswith("[["):
            self.lines.setdefault(path, line)
            self._elements[path] = self._elements.get(path, 0) + 1
            path = self._latest(path)
        self.lines[path] = line
        return path

    def _latest(self, path: KeyPath) -> KeyPath:
        """Return the path of a table, or of the last element of an array of tables."""
        return (*path, self._elements[path] - 1) if path in self._elements else path

    def _pair(self, table: KeyPath) -> KeyPath:
        """Read `a.b = value`; return the table, for the next pair."""
        line = self._line()
        path = table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._skip(_EQUALS)
        self._value(path)
        return table

    def _value(self, path: KeyPath) -> None:
        match self._text[self._at]:
            case "[":
                self._at += 1
                self._skip(_BLANK)
                index = 0
                while self._text[self._at] != "]":
                    self.lines[(*path, index)] = self._line()
                    self._value((*path, index))
                    index += 1
                    self._comma()
                self._at += 1
            case "{":
                self._at += 1
                self._skip(_BLANK)
                while self._text[self._at] != "}":
                    self._pair(path)
                    self._comma()
                self._at += 1
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_SCALAR)

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)

    def _key(self) -> list[str]:
        """Read a dotted key; return its parts as tomllib names them."""
        parts: list[str] = []
        while True:
            part = self._skip(_PART)
            parts.append(next(iter(tomllib.loads(f"{part} = 0"))) if part[0] in "\"'" else part)
            if not self._skip(_DOT):
                return parts

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Move past the pattern if it matches here; return the text it matched, "" if none."""
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _line(self) -> int:
        return bisect(self._starts, self._at) + 1
