"""The keys in site.toml that say what a raw number means.

    temperature = { …, divide = 10, invalid = 0x8000, min = -40, max = 80, unit = "°C" }

The keys, their rules and their JSON Schema are told by the same facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from protocols.toolkit.keys import Key, is_number, is_whole


def _number(description: str, *, zero: bool = True) -> Key:
    rule = "is not a number" if zero else "is not a number other than 0"
    schema = {"type": "number", "description": description} | ({} if zero else {"not": {"const": 0}})
    return Key(schema, f"{rule}, write for example 10 or 0.1", lambda v: is_number(v) and (zero or v != 0))


def _is_enum(value: object) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(_enum_number(key) is not None and isinstance(text, str) for key, text in value.items())
    )


def _enum_number(key: str) -> int | None:
    try:
        return int(key, 0)
    except ValueError:
        return None


def _is_invalid(value: object) -> bool:
    return all(is_number(v) for v in value) if isinstance(value, list) else is_number(value)


MEANING_KEYS: Final[Mapping[str, Key]] = {
    "divide": _number("value = raw ÷ divide", zero=False),
    "multiply": _number("value = raw × multiply", zero=False),
    "offset": _number("added after scaling"),
    "bit": Key(
        {"type": "integer", "minimum": 0, "maximum": 63, "description": "takes one bit, 0 is the lowest"},
        "is not a bit, use 0 (the lowest) to 15, or more for longer types",
        lambda v: is_whole(v, 0, 63),
    ),
    "mask": Key(
        {"type": "integer", "minimum": 1, "description": "takes these bits, shifted down to bit 0"},
        "is not a mask, write the bits to keep, for example 0x00FF",
        lambda v: is_whole(v, 1, 2**64 - 1),
    ),
    "enum": Key(
        {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": {"pattern": "^-?(0[xX][0-9a-fA-F]+|[0-9]+)$"},
            "description": "number → text",
        },
        'is not an enum, write numbers and their texts: { 0 = "off", 1 = "on" }',
        _is_enum,
    ),
    "invalid": Key(
        {
            "anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}],
            "description": "raw values that mean: no value",
        },
        "is not a raw value or a list of them, write for example 0x8000 or [0x7FFF, 0xFFFF]",
        _is_invalid,
    ),
    "min": _number("a value below is left out and counted"),
    "max": _number("a value above is left out and counted"),
    "unit": Key(
        {"type": "string", "description": "of the value"},
        'is not text, write for example "°C"',
        lambda v: isinstance(v, str),
    ),
}
OF_NUMBERS: Final = frozenset(MEANING_KEYS) - {"unit"}
OF_INTEGERS: Final = frozenset({"bit", "mask", "enum"})
_EXCLUDE: Final = {
    "bit": ("mask", "divide", "multiply", "offset", "min", "max"),
    "enum": ("divide", "multiply", "offset", "min", "max"),
}


def meaning_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a `Meaning` for these keys, all of which are valid."""
    invalid = entry.get("invalid", [])
    return {key: entry[key] for key in MEANING_KEYS if key in entry} | {
        "enum": {_enum_number(key) or 0: text for key, text in entry.get("enum", {}).items()},
        "invalid": frozenset(invalid if isinstance(invalid, list) else [invalid]),
    }


def contradictions(entry: Mapping[str, Any], kind: str, bits: int | None) -> Iterator[tuple[str, str]]:
    """Yield each key of a meaning that is right by itself but contradicts another key or the type.

    Args:
        kind: the name of the type.
        bits: the width of its integers; None if it is no integer.
    """
    if bits is not None and "bit" in entry and entry["bit"] >= bits:
        yield "bit", f"{entry['bit']} is beyond {kind}, use 0–{bits - 1}"
    if bits is not None and "mask" in entry and entry["mask"] >> bits:
        yield "mask", f"0x{entry['mask']:X} is wider than {kind}"
    if "mask" in entry and kind.startswith("int"):
        yield "mask", f'takes bits, which have no sign, from {kind}: write type = "u{kind}"'
    for main_key, excluded_keys in _EXCLUDE.items():
        for key in excluded_keys:
            if {main_key, key} <= set(entry):
                yield key, f"does not go with {main_key}, keep one of the two"
    if "min" in entry and "max" in entry and entry["min"] > entry["max"]:
        yield "min", f"{entry['min']} is above max = {entry['max']}, swap them"
