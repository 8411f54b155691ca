"""Counters that go on where those of a replaced device ended: an offset is added to each. Pure.

A sum is exact to the last digit that either number has: 0.1 + 0.2 kWh are 0.3 kWh, on a server for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from decimal import Context, Decimal

from bridge.config import Offset
from protocols.toolkit.polling import Value, Values

_CONTEXT = Context(prec=40)


def continued(values: Values, offsets: Mapping[str, Offset]) -> Values:
    """Return the values with their offsets added; a text, a truth value or no number stays as it is."""
    if not offsets:
        return values
    return {key: _sum(value, offsets[key].add) if key in offsets else value for key, value in values.items()}


def offset_between(last: int | float, first: int | float) -> int | float:
    """Return what makes a counter that begins at `first` go on at `last`."""
    return _number(_CONTEXT.subtract(_decimal(last), _decimal(first)), (last, first))


def since_text(offset: Offset) -> str:
    """Return since when an offset holds, for people."""
    return f"since {offset.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _sum(value: Value, offset: int | float) -> Value:
    if isinstance(value, (bool, str)):
        return value
    total = _CONTEXT.add(_decimal(value), _decimal(offset))
    return _number(total, (value, offset)) if total.is_finite() else value


def _decimal(number: int | float) -> Decimal:
    return Decimal(number) if isinstance(number, int) else Decimal(repr(number))


def _number(total: Decimal, parts: tuple[int | float, ...]) -> int | float:
    """Return a sum as an integer if both of its parts are."""
    return int(total) if all(isinstance(part, int) for part in parts) else float(total)
