"""ThingsBoard's reading of a telemetry body: pure functions, bytes in, typed entries out.

Follows ThingsBoard 4.3's JsonConverter (common/proto) with its default settings. It differs from plain JSON
where users stumble: a number with more than 16 decimals becomes a string and vanishes from every aggregation,
"007" becomes 7, NaN becomes the string "NaN". One bad entry refuses the whole body.

The steps after the 2.01 belong to it, because the client never learns of them: the rule node reads each
message a second time, and drops one whose keys it rejects, or that it takes for {"ts", "values"} itself.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import NamedTuple

from bridge.simulator.server.lenient_json import Number, loads

Stored = bool | int | float | str

MAX_SCALE = 16  # decimals of a DOUBLE
_PARSABLE = re.compile(r"-?[0-9]*\.?[0-9]+")  # NumberUtils.isParsable of commons-lang3
_MARKUP = re.compile(r"<[A-Za-z/!?]|\{\{.*\}\}")  # what NoXss takes for HTML or a template
_MAX_KEY = 255  # UTF-16 units
_INT64 = range(-(2**63), 2**63)
_LONGEST_PLAIN = 10_000  # digits we are willing to write out for 1e9999


class Malformed(ValueError):
    """The body is not telemetry: the server answers 4.00."""


class BadTimestamp(ValueError):
    """`ts` is not a long: an exception nobody catches, the server answers 5.00."""


class Entry(NamedTuple):
    """The values of one moment."""

    ts_ms: int
    values: dict[str, Stored]


def telemetry(payload: bytes, now_ms: int) -> list[Entry]:
    """Return the entries of a telemetry body.

    A body is a flat object (stored at `now_ms`), {"ts", "values"}, or an array of either.

    Raises:
        Malformed: not of that shape.
        BadTimestamp: a `ts` that is no long.
    """
    document = _load(payload)
    entries = document if isinstance(document, list) else [document]
    return [_saved(_entry(entry, now_ms)) for entry in entries]


def _saved(entry: Entry) -> Entry:
    """Return the entry as the rule node leaves it: with all its values, or with none."""
    keys = entry.values.keys()
    is_lost = keys >= {"ts", "values"} or any(_MARKUP.search(key) or not key.strip() for key in keys)
    is_lost = is_lost or any(len(key.encode("utf-16-le", "replace")) // 2 > _MAX_KEY for key in keys)
    return Entry(entry.ts_ms, {}) if is_lost else entry


def attributes(payload: bytes) -> dict[str, Stored]:
    """Return the values of an attributes body, which is one flat object.

    Raises:
        Malformed: anything else.
    """
    return _values(_load(payload))


def _load(payload: bytes) -> object:
    try:
        return loads(payload.decode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from error


def _entry(entry: object, now_ms: int) -> Entry:
    if isinstance(entry, dict) and "ts" in entry and "values" in entry:
        return Entry(_long(entry["ts"]), _values(entry["values"]))
    return Entry(now_ms, _values(entry))


def _values(document: object) -> dict[str, Stored]:
    if not isinstance(document, dict):
        raise Malformed("not an object")
    return {key: _stored(value) for key, value in document.items() if value is not None}


def _stored(value: object) -> Stored:
    if isinstance(value, Number) or (isinstance(value, str) and _PARSABLE.fullmatch(value)):
        return _number(value)
    if isinstance(value, bool | str):
        return value
    return _text(value)


def _number(text: str) -> int | float | str:
    """Return a LONG, a DOUBLE, or the plain digits as a STRING where neither holds the number."""
    dotted = "." in text and "e" not in text and "E" not in text
    if dotted and len(text) - text.index(".") - 1 <= MAX_SCALE:
        return _double(float(text), text)
    exact = Decimal(text)
    exponent = exact.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _LONGEST_PLAIN:
        raise Malformed(f"{text}: exponent out of reason")
    if not dotted and exact == exact.to_integral_value():
        return int(exact) if int(exact) in _INT64 else f"{exact:f}"
    return _double(float(text), text) if -exponent <= MAX_SCALE else f"{exact:f}"


def _double(value: float, text: str) -> float | str:
    """Return a DOUBLE; from 2^63 on its digits, for a second reading finds a whole number past LONG."""
    return value if abs(value) < 2**63 else f"{Decimal(text):f}"


def _long(value: object) -> int:
    """Return a `ts` as Gson's getAsLong: fractions are cut, int64 wraps, a string must be a whole number.

    Raises:
        Malformed: an array of not exactly one element.
        BadTimestamp: anything else that is no long.
    """
    if isinstance(value, list):
        if len(value) != 1:
            raise Malformed("ts is an array, not of one element")
        return _long(value[0])
    try:
        if isinstance(value, Number):
            number = int(Decimal(value))
            return (number + 2**63) % 2**64 - 2**63
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+", value) and int(value) in _INT64:
            return int(value)
    except (ValueError, ArithmeticError) as error:
        raise BadTimestamp(str(error)) from error
    raise BadTimestamp(f"{value!r} is not a long")


def _text(value: object) -> str:
    """Return a nested value as Gson writes it back: compact, numbers unchanged."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        inner = (f"{json.dumps(key, ensure_ascii=False)}:{_text(item)}" for key, item in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
