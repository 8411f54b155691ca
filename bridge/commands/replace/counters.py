"""Which values of a sensor count up for ever, and the offsets with which they go on after an exchange. Pure.

Energy, volume and pulses are counted from the day a device was made: a new one begins elsewhere, and the
series of its predecessor would jump. What a device counts for a day, what it still has left, and what it
remembers of an earlier period begin anew with it, and are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bridge.config import Offset
from bridge.reader.offsets import offset_between
from protocols.toolkit.polling import Values

_UNITS: Final = frozenset(
    f"{prefix}{unit}" for prefix in ("", "k", "M", "G") for unit in ("Wh", "varh", "VAh", "J", "cal")
) | {"m³", "m3", "l", "L", "hl", "kl", "ft³", "gal"}
"""Units of what adds up. A charge in Ah may be what a battery holds, so it needs a word in its name."""
_WORDS: Final = frozenset(
    {"total", "count", "counts", "counter", "pulse", "pulses", "cumulative", "operating", "runtime"}
)
_NOT_THESE: Final = frozenset(
    {
        *(
            "today",
            "day",
            "daily",
            "week",
            "month",
            "monthly",
            "year",
            "yearly",
            "last",
            "previous",
            "yesterday",
        ),
        *("max", "maximum", "min", "minimum", "peak", "mean", "average", "demand", "remaining", "capacity"),
        *("nominal", "rated", "level", "flow", "rate", "stored", "storage", "tank", "factor", "power"),
        *("current", "voltage", "harmonic", "distortion", "thd", "due", "history", "historic", "period"),
    }
)
"""Words in the name of a value that is not counted for ever, though its unit or name may look so."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """A counter that goes on.

    Attributes:
        key: of the value.
        unit: of the value.
        last: its last value in the series before.
        first: what the new device said first.
        offset: what is added from now on.
    """

    key: str
    unit: str
    last: int | float
    first: int | float
    offset: Offset


def is_counter(key: str, unit: str) -> bool:
    """Return whether a value probably counts up for ever, by its name and unit."""
    words = set(re.split(r"[^a-z]+", key.lower()))
    if words & _NOT_THESE:
        return False
    return unit in _UNITS or (
        bool(words & _WORDS) and unit in ("", "Ah", "kAh", "h", "s", "min", "d", "kg", "t")
    )


def counters(
    values: Values, units: Mapping[str, str], counter_keys: Collection[str] | None = None
) -> list[str]:
    """Return the keys of the counters among values: those chosen, else those that look like counters."""
    return [
        key
        for key, value in values.items()
        if (is_counter(key, units.get(key, "")) if counter_keys is None else key in counter_keys)
        and not isinstance(value, (bool, str))
    ]


def continuations(
    last_values: Values,
    first_values: Values,
    units: Mapping[str, str],
    keys: Collection[str],
    since: datetime,
) -> list[Continuation]:
    """Return how each of these counters goes on, as far as both devices gave a number for it.

    Args:
        last_values: the last of the series before, with the offsets that held then.
        first_values: of the new device, as it says them.
        units: of the values.
        keys: of the counters.
        since: when the new device took over.
    """
    result = []
    for key in keys:
        last, first = last_values.get(key), first_values.get(key)
        if isinstance(last, (bool, str, type(None))) or isinstance(first, (bool, str, type(None))):
            continue
        result.append(
            Continuation(key, units.get(key, ""), last, first, Offset(offset_between(last, first), since))
        )
    return result
