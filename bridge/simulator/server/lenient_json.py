"""JSON as Gson reads it in lenient mode, as ThingsBoard does.

Its own documentation posts `{temperature:25}`. Unquoted and single-quoted names and strings, `=` or `=>` for
`:`, `;` for `,` and comments pass; an unquoted word that is no number is a string. A document that is cut
or has a tail does not pass. Proper JSON, the usual case, is read by the standard library.
"""

from __future__ import annotations

import json
import re

DEEPEST = 255  # Gson's nesting limit

_SPACE = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[^\s/\\;#=:,{}\[\]'\"]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL),
    "'": re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL),
}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[^u])", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "b": "\b", "r": "\r", "f": "\f"}
_LITERALS = {"true": True, "false": False, "null": None}


class Number(str):
    """A number as it was written: 42.0 and 42 are not the same to ThingsBoard."""

    __slots__ = ()


def loads(text: str) -> object:
    """Return the document in a text: dict, list, str, Number, bool or None.

    Raises:
        ValueError: the text is not even lenient JSON.
    """
    try:
        return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=str)
    except ValueError:
        reader = _Reader(text)
        document = reader.value(0)
        reader.end()
        return document


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def value(self, depth: int) -> object:
        first = self._peek()
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST}")
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._array(depth)
        if first in _QUOTED:
            return self._string()
        word = self._string()
        if word.lower() in _LITERALS:
            return _LITERALS[word.lower()]
        return Number(word) if _NUMBER.fullmatch(word) else word

    def end(self) -> None:
        if self._peek():
            raise ValueError(f"text after the document, at {self._at}")

    def _object(self, depth: int) -> dict[str, object]:
        members: dict[str, object] = {}
        self._take("{")
        while self._peek() != "}":
            name = self._string()
            self._take(":=")
            if self._text.startswith(">", self._at):
                self._at += 1
            members[name] = self.value(depth + 1)
            if self._peek() != "}":
                self._take(",;")
                if self._peek() == "}":
                    raise ValueError(f"name missing, at {self._at}")
        self._take("}")
        return members

    def _array(self, depth: int) -> list[object]:
        elements: list[object] = []
        self._take("[")
        while self._peek() != "]":
            elements.append(self.value(depth + 1))
            if self._peek() != "]":
                self._take(",;")
                if self._peek() == "]":
                    elements.append(None)
        self._take("]")
        return elements

    def _string(self) -> str:
        first = self._peek()
        quoted = _QUOTED.get(first)
        match = (quoted or _WORD).match(self._text, self._at)
        if match is None:
            raise ValueError(f"a name or value is missing, at {self._at}")
        self._at = match.end()
        return _plain(match[1]) if quoted else match[0]

    def _peek(self) -> str:
        """Return the next character after spaces and comments; empty at the end."""
        space = _SPACE.match(self._text, self._at)
        if space is not None:
            self._at = space.end()
        return self._text[self._at : self._at + 1]

    def _take(self, expected: str) -> None:
        if self._peek() not in tuple(expected):
            raise ValueError(f"one of {' '.join(expected)} is missing, at {self._at}")
        self._at += 1


def _plain(quoted: str) -> str:
    """Return the text between quotes with its escapes resolved, surrogate pairs joined."""
    text = _ESCAPE.sub(_unescaped, quoted)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if code[0] == "u" else _ESCAPED.get(code, code)
