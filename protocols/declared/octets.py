"""Octets and checksums as people write them: "42 4D ??", { name = "crc16-modbus", order = "little" }."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from protocols.declared.declaration import Check, Pattern
from protocols.declared.types import ORDERS, Order
from protocols.toolkit.checksum import CHECKSUMS
from protocols.toolkit.errors import Path, Problem
from protocols.toolkit.keys import close_words, is_whole, shown, unknown_keys

LONGEST: Final = 1024
"""Octets of the longest frame that can be declared."""

NONE: Final = "none"
_ID: Final = "{id}"
_TOKEN = re.compile(r"\?\?|\{id\}|[0-9A-Fa-f]{2}")
_HEX: Final = "[0-9A-Fa-f]{2}"
ORDER_SCHEMA: Final = {"enum": list(ORDERS), "description": "which octet of a number is first"}
ORDER_RULE: Final = 'is not an order, use "big" (the highest octet first) or "little"'
_PLACE: Final = {"type": "integer", "minimum": -LONGEST, "maximum": LONGEST}


def octets_schema(alternative: str) -> dict[str, Any]:
    """Return the JSON Schema of octets among which `alternative` (a regular expression) may stand."""
    return {"type": "string", "pattern": rf"^\s*(({_HEX}|{alternative})\s*)+$"}


def checksum_schema(*, placed: bool) -> dict[str, Any]:
    """Return the JSON Schema of a checksum; with `placed`, of one that may stand anywhere in the frame."""
    names = {"enum": [*CHECKSUMS, NONE]}
    keys = {
        "name": {"enum": list(CHECKSUMS), "description": "what data sheets call it"},
        "from": {**_PLACE, "description": "first octet that is checked, from 0; negative: from the end"},
        "to": {**_PLACE, "description": "the octet behind the last that is checked"},
        "order": ORDER_SCHEMA,
    }
    at = {"at": {**_PLACE, "description": "its place; default: the end, before `end`"}}
    table = {
        "type": "object",
        "properties": keys | (at if placed else {}),
        "required": ["name"],
        "additionalProperties": False,
    }
    return {"description": "its name, or a table with what it checks", "anyOf": [names, table]}


def octets(text: object, *, wild: str) -> Pattern | None:
    """Return the octets in a text, None for the token `wild` ("??", "{id}"); None if it is malformed."""
    if not isinstance(text, str):
        return None
    digits = re.sub(r"\s+", "", text)
    tokens = _TOKEN.findall(digits)
    if not tokens or "".join(tokens) != digits or any(t in ("??", _ID) and t != wild for t in tokens):
        return None
    return tuple(None if token == wild else int(token, 16) for token in tokens)


def order_of(table: Mapping[str, object], otherwise: Order, at: Path, problems: list[Problem]) -> Order:
    """Return the key `order` of a table, or `otherwise`; add a mistake in it to `problems`."""
    order_name = table.get("order", otherwise)
    for order in ORDERS:
        if order_name == order:
            return order
    problems.append(((*at, "order"), f"{shown(order_name)} {ORDER_RULE}"))
    return otherwise


def parse_check(
    entry: object, order: Order, at: Path, problems: list[Problem], *, end: int | None
) -> Check | None:
    """Return the checksum that a name alone or a table declares; add its mistakes to `problems`.

    Args:
        order: the order of its octets, without a key `order`.
        end: octets behind it, without a key `at`; None: it stands at the very end and has no such key.
    """
    if entry == NONE:
        return None
    table: Mapping[str, object] = entry if isinstance(entry, Mapping) else {"name": entry}
    name_path = (*at, "name") if isinstance(entry, Mapping) else at
    known_keys = ("name", "at", "from", "to", "order") if end is not None else ("name", "from", "to", "order")
    before = len(problems)
    problems += unknown_keys(table, known_keys, at)
    places: dict[str, int] = {}
    for key in ("at", "from", "to"):
        if key not in known_keys or key not in table:
            continue
        if is_whole(offset := table[key], -LONGEST, LONGEST):
            places[key] = offset
        else:
            text = f"{shown(offset)} is not a place in a frame, count octets from 0, or from the end: -1"
            problems.append(((*at, key), text))
    order = order_of(table, order, at, problems)
    name = table.get("name")
    checksum = CHECKSUMS.get(name) if isinstance(name, str) else None
    if checksum is None:
        problems.append((name_path, _no_checksum(name)))
    if checksum is None or len(problems) > before:
        return None
    place = places.get("at", -checksum.size - (end or 0))
    start = places.get("from", 0)
    is_behind = start > place if (start < 0) == (place < 0) else start < 0
    return Check(checksum, place, order, start, places.get("to", None if is_behind else place))


def _no_checksum(name: object) -> str:
    if name is None:
        return f'is missing: what the data sheet calls it, for example "{next(iter(CHECKSUMS))}"'
    completions = [candidate for candidate in CHECKSUMS if candidate.startswith(str(name).lower())]
    close = completions or close_words(str(name).lower(), CHECKSUMS, 3, 0.4) or list(CHECKSUMS)
    return f"{shown(name)} is not a checksum, use {' or '.join(close)}"
