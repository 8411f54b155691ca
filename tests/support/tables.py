"""Tables of a site for code that looks at few of their fields."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

from bridge.config.keys import Table

T = TypeVar("T", bound=Table)


def bare(table: type[T], **values: Any) -> T:
    """Return a table with these fields; any other that must be written is None."""
    required = (
        field.name for field in fields(table) if field.default is MISSING and field.default_factory is MISSING
    )
    return table(**{**dict.fromkeys(required), **values})
