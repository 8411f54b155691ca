"""A sensor's own keys in site.toml: what they may hold, and in which words a mistake is told.

    site.toml:12: bus.meters.sensor[1].adress: unknown key; did you mean address?
    site.toml:14: bus.meters.sensor[1].values[2]: unknown value "curent"; did you mean "current"?

The place is added where the file is read; here is the rule, what stood there, and what to write instead. All
protocols and the bridge's own tables say it in these words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeGuard

from protocols.toolkit.errors import Path, Problem

_FEW: Final = 8  # names, or entries of a list, that fit a message
_EXAMPLES: Final = 3
_LONGEST_VALUE: Final = 60  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table: its rule in words and in JSON Schema."""

    schema: Mapping[str, Any]
    rule: str
    holds: Callable[[Any], bool]


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object, least: int, most: int) -> TypeGuard[int]:
    """Return whether a TOML value is an integer from `least` to `most`; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def shown(value: object) -> str:
    """Return a value as the file writes it, shortened."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"}"'
        case Mapping():
            items = [f"{key} = {shown(item)}" for key, item in islice(value.items(), _FEW)]
            text = f"{{ {', '.join(items)} }}" if items else "{}"
            return text if _is_short(value, text) else "a table { … }"
        case list() | tuple():
            text = f"[{', '.join(map(shown, value[:_FEW]))}]"
            return text if _is_short(value, text) else "a list [ … ]"
        case _:
            return str(value)


def _is_short(value: Collection[object], text: str) -> bool:
    return len(value) <= _FEW and len(text) <= _LONGEST_VALUE


def nearest(word: str, known_words: Iterable[str]) -> str | None:
    """Return the known word that `word` is most probably a misspelling of; None if none is near."""
    close = close_words(word.lower(), known_words, 1)
    return close[0] if close else None


def close_words(
    word: str, known_words: Iterable[str], most: int = _EXAMPLES, likeness: float = 0.6
) -> list[str]:
    """Return the known words that look like `word`, at most so many, the most similar first.

    Args:
        likeness: from 0 to 1; words less similar are left out.
    """
    from difflib import get_close_matches  # here, because a file without mistakes has no use for it

    return get_close_matches(word, list(known_words), most, likeness)


def fault(value: object, key: Key) -> str:
    """Return the message for a value that breaks the rule of its key."""
    if isinstance(value, str) and key.holds(0.5) and re.fullmatch(r"\s*[+-]?\d+([.,]\d+)?\s*", value):
        number = value.strip().replace(",", ".")
        if "," in value:
            return f"write numbers with a point, not a comma, and without quotes: {number}"
        return f"{shown(value)} is a text, write it without quotes: {number}"
    return f"{shown(value)} {key.rule}"


def unknown_key(key: str, known_keys: Collection[str]) -> str:
    """Return the message for an unknown key."""
    near = nearest(key, known_keys)
    return f"unknown key; did you mean {near}?" if near else f"unknown key; use {', '.join(known_keys)}"


def unknown_keys(table: Mapping[str, object], known_keys: Collection[str], at: Path = ()) -> list[Problem]:
    """Return a problem for each key of the table at `at` that it may not have."""
    return [((*at, key), unknown_key(key, known_keys)) for key in table if key not in known_keys]


def misspelt(table: Mapping[str, object], known_keys: Collection[str]) -> set[str]:
    """Return the known keys that unknown ones are probably meant to be; they are not reported as missing."""
    return {near for key in table if key not in known_keys and (near := nearest(key, known_keys))}


def unknown_value(name: object, known_names: Collection[str], advice: str = "") -> str:
    """Return the message for a name that is none of a sensor's values.

    Args:
        advice: where else the value may come from, in a few words.
    """
    place = f"{shown(name)} ({advice})" if advice else shown(name)
    close = close_words(str(name).lower(), known_names)
    if close:
        return f"unknown value {place}; did you mean {' or '.join(map(shown, close))}?"
    listed = list(map(shown, known_names))
    some = listed if len(listed) <= _FEW else [*listed[:_EXAMPLES], "…"]
    return f"unknown value {place}; use {', '.join(some)}"


def parse_value_names(
    names: object,
    known_names: Collection[str],
    problems: list[Problem],
    *,
    key: str = "values",
    is_known: Callable[[str], bool] | None = None,
    advice: str = "",
    may_be_empty: bool = False,
) -> tuple[str, ...]:
    """Return the names in a list of values, and add a problem for each mistake in it.

    Args:
        names: what stands there, which need not be a list.
        known_names: the names that a message can suggest.
        problems: where mistakes go.
        key: the key of the list.
        is_known: whether a name is one; None: it is among `known_names`.
        advice: as in `unknown_value`.
        may_be_empty: an empty list is no mistake.
    """
    if not isinstance(names, list) or not (names or may_be_empty):
        example = ", ".join(map(shown, list(known_names)[:2]))
        what = "the list is empty" if isinstance(names, list) else f"{shown(names)} is not a list of values"
        problems.append(((key,), f"{what}, write for example [{example}]"))
        return ()
    accepted: list[str] = []
    for index, name in enumerate(names):
        if not isinstance(name, str) or not (is_known(name) if is_known else name in known_names):
            problems.append(((key, index), unknown_value(name, known_names, advice)))
        elif name in accepted:
            problems.append(((key, index), f"{shown(name)} stands here twice, keep one"))
        else:
            accepted.append(name)
    return tuple(accepted)
