"""What the value of a key may be: each kind reads it, or says what is wrong, and describes it for editors.

A kind stands in the annotation of a table's field, and so do the rules that a value of the right kind must
meet (`tables.py`). Strict throughout: 1 is no text, "1" is no number, true is neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.config.wording import value_text


@dataclass(frozen=True, slots=True)
class Context:
    """Where a value stands.

    Attributes:
        folder: the file's folder, where its relative paths begin.
        is_secret: the value must not be shown.
        fields: the fields of the same table that stand before it and are right, by name.
    """

    folder: Path
    is_secret: bool
    fields: Mapping[str, Any]

    def shown(self, value: object) -> str:
        """Return a value as TOML writes it, or a word in place of a secret one."""
        return "this" if self.is_secret else value_text(value)


class WrongKindError(ValueError):
    """The value is of another kind, so that an example of the right one helps."""


class Kind:
    """What the value of a key may be."""

    def read(self, value: object, context: Context) -> Any:
        """Return the value in the bridge's own form.

        Raises:
            ValueError: the value may not stand here; the message says why, and what may.
        """
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        raise NotImplementedError

    def written(self, value: Any) -> Any:
        """Return the text, number or boolean that `read` takes for this value."""
        return value


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """A text in quotes.

    Attributes:
        form: a regular expression for editors, of what a rule of the key takes.
    """

    form: str | None = None

    def read(self, value: object, context: Context) -> str:
        """Return the text. Errors as for `Kind.read`."""
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not context.is_secret:
            text = value_text(value)
            raise ValueError(f'{text} is not a text, write it in quotes: "{text}"')
        raise WrongKindError(f"{context.shown(value)} is not a text in quotes")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        return {"type": "string"} | ({} if self.form is None else {"pattern": self.form})


@dataclass(frozen=True, slots=True)
class Parsed(Kind):
    """A text that a function reads.

    Attributes:
        parse: returns the object that the value stands for, or raises ValueError with the reason.
        form: a regular expression for editors.
    """

    parse: Callable[[object], object]
    form: str

    def read(self, value: object, context: Context) -> object:
        """Return what the text stands for. Errors as for `Kind.read`."""
        return self.parse(value)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        return {"type": "string", "pattern": self.form}


class File(Kind):
    """The path of a file, relative to the folder of the file that names it."""

    def read(self, value: object, context: Context) -> Path:
        """Return the path, under that folder unless it is absolute. Errors as for `Kind.read`."""
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise ValueError("this is not a path, write it in quotes")
        return context.folder / value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        return {"type": "string"}

    def written(self, value: Any) -> str:
        """Return the path as a text."""
        return str(value)


class Flag(Kind):
    """True or false."""

    def read(self, value: object, context: Context) -> bool:
        """Return the boolean. Errors as for `Kind.read`."""
        if isinstance(value, bool):
            return value
        shown = context.shown(value)
        raise ValueError(f"{shown} is neither true nor false, write one of them without quotes")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """A number; not infinity, and not what is no number.

    Attributes:
        least, most: the range allowed; None: no bound.
    """

    least: float | None = None
    most: float | None = None

    def read(self, value: object, context: Context) -> float:
        """Return the number. Errors as for `Kind.read`."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._no_number(value, context, "number")
        return float(self._in_range(value, context))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        return {"type": "number"} | self._bounds()

    def _no_number(self, value: object, context: Context, noun: str) -> WrongKindError:
        text = f"{context.shown(value)} is not a {noun}, write it without quotes{self._range()}"
        return WrongKindError(text)

    def _in_range(self, value: float, context: Context) -> float:
        is_high_enough = self.least is None or value >= self.least
        if math.isfinite(value) and is_high_enough and (self.most is None or value <= self.most):
            return value
        raise ValueError(f"{context.shown(value)} is out of range{self._range()}")

    def _range(self) -> str:
        if self.most is None:
            return "" if self.least is None else f", use {self.least} or more"
        return f", use {self.least}–{self.most}"

    def _bounds(self) -> dict[str, float]:
        bounds = {"minimum": self.least, "maximum": self.most}
        return {keyword: bound for keyword, bound in bounds.items() if bound is not None}


@dataclass(frozen=True, slots=True)
class Whole(Number):
    """A whole number, written without a decimal point."""

    def read(self, value: object, context: Context) -> int:
        """Return the number. Errors as for `Kind.read`."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._no_number(value, context, "whole number")
        return int(self._in_range(value, context))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        return {"type": "integer"} | self._bounds()


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: object, context: Context) -> str:
        """Return the word. Errors as for `Kind.read`."""
        if isinstance(value, str) and value in self.words:
            return value
        *others, last = (f'"{word}"' for word in self.words)
        choices = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"{context.shown(value)} is not known here, use {choices}")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Check:
    """A rule for a value of the right kind: a function that returns the value, or raises ValueError."""

    function: Callable[[Any], object]

    def apply(self, value: object, context: Context) -> object:
        """Return the value. Errors as for `Kind.read`."""
        return self.function(value)


@dataclass(frozen=True, slots=True)
class OnlyBeside:
    """A rule for a key that has a meaning only beside certain values of an earlier key of its table.

    A switch that is off may stand beside anything.

    Attributes:
        field: the earlier key's field; without a right value there, this rule says nothing.
        holds: returns whether its value is one of those.
        otherwise: the sentence, if it is not.
    """

    field: str
    holds: Callable[[Any], bool]
    otherwise: str

    def apply(self, value: object, context: Context) -> object:
        """Return the value. Errors as for `Kind.read`."""
        if value is not False and self.field in context.fields and not self.holds(context.fields[self.field]):
            raise ValueError(self.otherwise)
        return value
