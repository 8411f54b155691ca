"""Values as messages show them."""

from __future__ import annotations

from bridge.plain_text import one_line
from protocols.toolkit.keys import shown


def value_text(value: object) -> str:
    """Return a value as TOML writes it, shortened, on one line."""
    return one_line(shown(value))
