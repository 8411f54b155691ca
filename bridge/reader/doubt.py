"""Doubt about what a sensor told: which values cannot be, and how else they could be read. Pure.

A value in doubt is published as it was read. The person who set the sensor up is told, with the change in
site.toml that would make the value a likely one, if there is such a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final

from protocols.toolkit.plausibility import is_likely, is_possible
from protocols.toolkit.polling import NOT_A_NUMBER, Value, Values

_MOST_READINGS: Final = 2
_NEXT_STEP: Final = "compare its register, type, order and scale with the manual"

_ZERO: Final = (
    "says nothing but 0: if that cannot be, is the register input or holding, and does its manual count "
    "from 0 or from 1?"
)

Reread = Callable[[str], Iterable[tuple[str, Value]]]
"""Yields, for a key, each change in site.toml with the value that the key would have then."""


def doubts(values: Values, units: Mapping[str, str], reread: Reread = lambda key: ()) -> dict[str, str]:
    """Return a sentence for each value that cannot be, by its key."""
    return {
        key: _sentence(key, value, units.get(key, ""), reread)
        for key, value in values.items()
        if not is_possible(value, units.get(key, ""))
    }


def explained(missing: Mapping[str, str], units: Mapping[str, str], reread: Reread) -> dict[str, str]:
    """Return the reasons of missing values; one that is no number has its other reading, if one is likely."""
    return {
        key: f"{reason}; {other}"
        if reason.startswith(NOT_A_NUMBER) and (other := likely_readings(key, units.get(key, ""), reread))
        else reason
        for key, reason in missing.items()
    }


def all_zero(values: Values, reread: Reread) -> str | None:
    """Return what to say of numbers that are all 0, as those of a wrong register are; None if one is not.

    For a person who tries a sensor whose registers site.toml lists: it is no doubt, a sensor at rest says so.
    """
    numbers = {key: value for key, value in values.items() if not isinstance(value, (bool, str))}
    if not numbers or any(numbers.values()) or not any(True for key in numbers for _ in reread(key)):
        return None
    return _ZERO


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
