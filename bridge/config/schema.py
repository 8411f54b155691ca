"""site.toml as a JSON Schema, so that an editor completes keys and marks mistakes while one writes.

It is made from the tables' own fields, with their texts. The keys of a protocol come from the protocol, and
hold where the bus speaks it. What only shows between tables (one name twice) is for `serial-bridge check`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

from bridge.config.document import Table
from bridge.config.models import OwnModels
from bridge.config.quantities import Quantity
from bridge.config.tables import (
    INHERITED,
    RS485,
    Bus,
    ClockSettings,
    Sensor,
    Site,
    SpoolSettings,
    ThingsBoard,
)
from protocols import Protocol, names, protocol
from protocols.errors import PackageError

Schema = dict[str, Any]


def site_schema(own: OwnModels | None = None) -> Schema:
    """The schema, in the 2020-12 draft. `own`: the device models of the site that it is for."""
    entries = [own.known_to(entry) if own else entry for entry in _usable()]
    schema = Site.model_json_schema(by_alias=True)
    definitions: dict[str, Schema] = schema["$defs"]
    _as_written(Site, schema)
    for table in (ThingsBoard, SpoolSettings, ClockSettings, Bus, RS485, Sensor):
        _as_written(table, definitions[table.__name__])
    sensor = definitions.pop("Sensor")
    for key in INHERITED:
        sensor["properties"][key].pop("default")
    for entry in entries:
        definitions |= entry.schema.get("$defs", {})
        definitions[f"Sensor-{entry.name}"] = _with_keys_of(entry, sensor)
    schema["properties"]["bus"]["propertyNames"] = {"pattern": "^[a-z][a-z0-9_]*$"}
    bus = definitions["Bus"]
    bus["properties"]["protocol"]["enum"] = [entry.name for entry in entries]
    bus["properties"]["sensor"] = {"type": "array", "description": bus["properties"]["sensor"]["description"]}
    bus["required"].remove("line")
    for entry in entries:
        for key, rule in entry.bus_schema["properties"].items():
            bus["properties"][key] = {"description": rule["description"]}
    bus["allOf"] = [_if_spoken(entry, bus["properties"]) for entry in entries]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _usable() -> Iterator[Protocol]:
    """The protocols that a bus can speak; without those of packages in which something is wrong."""
    for name in names():
        with suppress(PackageError):
            yield protocol(name)


def _as_written(table: type[Table], schema: Schema) -> None:
    """Leaves the keys that a file can have, and gives their defaults in the form that a file has."""
    written = table.written()
    schema["required"] = [key for key in schema.get("required", ()) if key in written]
    schema["properties"] = {key: each for key, each in schema["properties"].items() if key in written}
    texts = _texts(table)
    for key, each in schema["properties"].items():
        each["description"] = texts[key]
        each.pop("title", None)
        if isinstance(each.get("default"), dict):
            each.pop("default")  # a table has defaults for each of its keys
        if each.get("default", 0) is None:  # TOML has no null: what has no value is not written
            each.pop("default")
            each |= each.pop("anyOf")[0]
        quantity = next((note for note in written[key].metadata if isinstance(note, Quantity)), None)
        if quantity and "default" in each:
            each["default"] = quantity.write(each["default"])


def _texts(table: type[Table]) -> dict[str, str]:
    """The text below each key in the source. Read here alone: a service that starts has no use for it."""
    definition = ast.parse(inspect.getsource(table)).body[0]
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in pairwise(definition.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[table.model_fields[name].alias or name] = inspect.cleandoc(words)
    return found


def _with_keys_of(entry: Protocol, sensor: Schema) -> Schema:
    """A sensor's table on a bus that speaks this protocol."""
    return {
        **sensor,
        **{key: rule for key, rule in entry.schema.items() if key != "$defs"},
        "properties": {**sensor["properties"], **entry.schema["properties"]},
        "required": [*sensor["required"], *entry.schema.get("required", ())],
    }


def _if_spoken(entry: Protocol, known: Collection[str]) -> Mapping[str, Any]:
    """What a bus must have, and may not have of all known keys, if it speaks this protocol."""
    theirs = dict.fromkeys(set(known) - set(Bus.written()), False) | entry.bus_schema["properties"]
    sensor = {"items": {"$ref": f"#/$defs/Sensor-{entry.name}"}}
    then: Schema = {"properties": {"sensor": sensor, **theirs}}
    required = [*entry.bus_schema["required"], *(["line"] if entry.line is None else [])]
    if required:
        then["required"] = required
    return {"if": {"properties": {"protocol": {"const": entry.name}}, "required": ["protocol"]}, "then": then}
