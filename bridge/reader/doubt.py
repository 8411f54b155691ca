"""Doubt about what a sensor told: which values cannot be, and how else they could be read. Pure.

A value in doubt is published as it was read. The person who set the sensor up is told, with the change in
site.toml that would make the value a likely one, if there is such a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final

from protocols.toolkit.plausibility import is_likely, is_possible
from protocols.toolkit.polling import Value, Values

_MOST_READINGS: Final = 2
_NEXT_STEP: Final = "compare its register, type, order and scale with the manual"

Reread = Callable[[str], Iterable[tuple[str, Value]]]
"""Yields, for a key, each change in site.toml with the value that the key would have then."""


def doubts(values: Values, units: Mapping[str, str], reread: Reread = lambda key: ()) -> dict[str, str]:
    """Return a sentence for each value that cannot be, by its key."""
    return {
        key: _sentence(key, value, units.get(key, ""), reread)
        for key, value in values.items()
        if not is_possible(value, units.get(key, ""))
    }


def likely_readings(key: str, unit: str, reread: Reread) -> str:
    """Return how else a value could be read, in words; "" if no other reading is likely."""
    by_key: dict[str, str] = {}  # of site.toml: the first likely change of each
    for change, value in reread(key):
        if is_likely(value, unit):
            by_key.setdefault(change.partition(" ")[0], f"with {change} it would be {_number(value)}")
    return ", ".join(islice(by_key.values(), _MOST_READINGS))


def _sentence(key: str, value: Value, unit: str, reread: Reread) -> str:
    other = likely_readings(key, unit, reread) or _NEXT_STEP
    return f"{key} {_number(value)} {unit}".rstrip() + f" is implausible; {other}"


def _number(value: Value) -> str:
    if isinstance(value, float) and value and not 1e-3 <= abs(value) < 1e7:
        return f"{value:.1e}"
    return f"{value:.7g}" if isinstance(value, float) else str(value)
