"""The keys of a table, as the fields of a class declare them.

A table of a file is a frozen dataclass, and each key is a field, whose annotation says what may be written
there (`kinds.py`):

    every_s: Annotated[float, Duration("0s", "168h"), Written("every", example="10s")]
    retries: Annotated[int, Whole(0, 10)] = 1
    ca: Annotated[Path | None, File(), Check(readable)] = None

A text, a number, a boolean and a `Literal` need no more than their type. A field without a default is a key
that must be written. Made in code, a table is taken as it is: only what stands in a file is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from types import NoneType
from typing import Annotated, Any, ClassVar, Final, Literal, get_args, get_origin, get_type_hints

from bridge.config.kinds import (
    Check,
    Choice,
    Context,
    Flag,
    Kind,
    Number,
    OnlyBeside,
    Text,
    Whole,
    WrongKindError,
)
from bridge.config.wording import value_text

NOT_WRITTEN: Final = "not written in the table"
"""Annotation of a field without a key: its value comes from the place where the table stands."""

_KINDS: Mapping[object, Kind] = {str: Text(), bool: Flag(), int: Whole(), float: Number()}
_KEYS: dict[type[Table], tuple[Key, ...]] = {}  # of each table that was asked for: annotations are read once


@dataclass(frozen=True, slots=True)
class Written:
    """Annotation of a field: how its key is written.

    Attributes:
        name: the key, if it is not the field's name.
        example: a value, for messages and editors.
    """

    name: str | None = None
    example: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table.

    Attributes:
        name: what the file says.
        field: the field that holds its value.
        is_written: False for a field whose value comes from elsewhere.
        default: returns the value of the field if the key is absent; None: the key is required.
        type: that of the field, without the None that stands for "not written".
        kind: what the value may be; None: a table, which is checked by itself.
        rules: what a value of that kind must meet, in this order.
        example: a value that would be right, or None.
    """

    name: str
    field: str
    is_written: bool
    default: Callable[[], object] | None
    type: Any
    kind: Kind | None
    rules: tuple[Check | OnlyBeside, ...]
    example: str | None

    def read(self, value: object, context: Context) -> object:
        """Return the field's value for what the file says.

        Raises:
            ValueError: the value may not stand here; the message says why, and what may.
        """
        if self.kind is None:
            if value is None and self.is_written and self.default is None:
                raise ValueError("has mistakes of its own")
            return value
        try:
            result = self.kind.read(value, context)
        except WrongKindError as error:
            raise ValueError(f"{error}{self._for_example}") from None
        for rule in self.rules:
            result = rule.apply(result, context)
        return result

    def absent(self) -> object:
        """Return the field's value if the file does not say the key.

        Raises:
            ValueError: it must.
        """
        if self.default is None:
            raise ValueError(f"is missing{self._for_example}")
        return self.default()

    @property
    def _for_example(self) -> str:
        return "" if self.example is None else f", for example: {self.name} = {value_text(self.example)}"


class Table:
    """A table of a file; each is a frozen dataclass."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @classmethod
    def fields_by_key(cls) -> dict[str, Key]:
        """Return the keys that may stand in the table, by what the file says."""
        return {key.name: key for key in keys_of(cls) if key.is_written}


def keys_of(table: type[Table]) -> tuple[Key, ...]:
    """Return every key of a table, also those that are not written, in the order of the class."""
    if table not in _KEYS:
        hints = get_type_hints(table, include_extras=True)
        _KEYS[table] = tuple(_key(field, hints[field.name]) for field in fields(table))
    return _KEYS[table]


def _key(field: Field[Any], hint: Any) -> Key:
    """Return the key that a field declares with its annotation `hint`."""
    notes: list[object] = []
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
    if NoneType in get_args(hint):
        (hint,) = (each for each in get_args(hint) if each is not NoneType)
    usual_kind = Choice(get_args(hint)) if get_origin(hint) is Literal else _KINDS.get(hint)
    written = next((note for note in notes if isinstance(note, Written)), Written())
    return Key(
        name=written.name or field.name,
        field=field.name,
        is_written=NOT_WRITTEN not in notes,
        default=_default(field),
        type=hint,
        kind=next((note for note in notes if isinstance(note, Kind)), usual_kind),
        rules=tuple(note for note in notes if isinstance(note, Check | OnlyBeside)),
        example=written.example,
    )


def _default(field: Field[Any]) -> Callable[[], object] | None:
    if field.default_factory is not MISSING:
        return field.default_factory
    return None if field.default is MISSING else lambda: field.default
