"""[bus.NAME.request] in site.toml, how a sensor is asked: every key, every mistake.

send = "FF {id} 86 00 00"                        {id}: the sensor's own, where one line has several
checksum = { name = "sum8-twos", from = 1 }      appended; without one, all that is sent is written out

A request is a frame too, and is declared by the same means: what is sent is its sync, the id its only field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from protocols.declared.declaration import Declaration, Field, misplaced
from protocols.declared.octets import LONGEST, checksum_schema, octets, octets_schema, parse_check
from protocols.declared.types import Order, Type, type_of
from protocols.toolkit.errors import Path, Problem
from protocols.toolkit.keys import misspelt, shown, unknown_keys
from protocols.toolkit.scaling import Meaning

ID: Final = "id"

REQUEST_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "how a sensor is asked; without it, sensors push",
    "properties": {
        "send": octets_schema(r"\{id\}")
        | {"description": "what is sent, in hexadecimal digits; {id} stands for the sensor's id"},
        "checksum": checksum_schema(placed=False),
    },
    "required": ["send"],
    "additionalProperties": False,
}
_KEYS: Final = tuple(REQUEST_SCHEMA["properties"])


def parse_request(
    table: object, id_field: Field | None, order: Order, at: Path, problems: list[Problem]
) -> Declaration | None:
    """Return the request that a table declares, or None; add its mistakes to `problems`.

    Args:
        id_field: the field of the reply that names the sensor.
        order: the order of the octets of the checksum, if that has no key `order`.
    """
    if not isinstance(table, Mapping):
        problems.append((at, 'is not a table, write [bus.NAME.request], below it send = "…"'))
        return None
    before = len(problems)
    problems += unknown_keys(table, _KEYS, at)
    misspelt_keys = misspelt(table, _KEYS)
    check = None
    if "checksum" in table:
        check = parse_check(table["checksum"], order, (*at, "checksum"), problems, end=None)
    pattern = octets(table.get("send"), wild="{id}")
    if "send" not in misspelt_keys:
        problems += [((*at, "send"), text) for text in _faults(table.get("send"), pattern, id_field)]
    if pattern is None or len(problems) > before:
        return None
    kind = id_field.type if id_field else type_of("uint8")
    assert kind is not None
    declaration = _declaration(pattern, kind, check)
    problems += [((*at, *path), message) for path, message in misplaced(declaration)]
    return None if len(problems) > before else declaration


def _faults(text: object, pattern: tuple[int | None, ...] | None, id_field: Field | None) -> list[str]:
    if text is None:
        return ['is missing: what is sent to the sensor, for example send = "FF 01 86 00 00 00 00 00 79"']
    if pattern is None or len(pattern) > LONGEST // 2:
        return [f'{shown(text)} is nothing to send, write octets in hexadecimal digits: "FF 01 {{id}} 86"']
    if all(octet is None for octet in pattern):
        return ["write what is sent around {id} too"]
    if pattern.count(None) > 1:
        return ["{id} stands there twice, once is enough"]
    if id_field and None not in pattern:
        return [
            f"asks nobody by name, but the field {id_field.name} is the id: write {{id}} where it is sent"
        ]
    return []


def _declaration(pattern: tuple[int | None, ...], kind: Type, check: Any) -> Declaration:
    """Return the request as a frame of fixed length."""
    fields: tuple[Field, ...] = ()
    if None in pattern:
        at = pattern.index(None)
        pattern = (*pattern[:at], *[None] * kind.size, *pattern[at + 1 :])
        fields = (Field(ID, at, kind, Meaning(), is_id=True),)
    length = len(pattern) + (check.checksum.size if check else 0)
    return Declaration(pattern, length, length, check, b"", fields)
