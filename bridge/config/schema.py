"""site.toml as a JSON Schema, so that an editor completes keys and marks mistakes while one writes.

It is generated from the tables' own fields, with their texts. The keys of a protocol come from the protocol,
and hold where the bus speaks it. `serial-bridge check` alone finds mistakes between tables (one name twice).
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any, get_args

from bridge.config.keys import Key, Table
from bridge.config.models import OwnModels
from bridge.config.tables import (
    INHERITED,
    RS485,
    Bus,
    ClockSettings,
    Sensor,
    Site,
    SpoolSettings,
    ThingsBoard,
    WebSettings,
)
from protocols import load, names
from protocols.toolkit.errors import PackageError
from protocols.toolkit.protocol import CatalogueEntry

Schema = dict[str, Any]


def site_schema(own_models: OwnModels | None = None) -> Schema:
    """Return the schema of site.toml, in the 2020-12 draft.

    Args:
        own_models: the device models of the site that the schema is for.
    """
    entries = [own_models.known_to(entry) if own_models else entry for entry in _usable()]
    schema = _of_table(Site)
    tables = ThingsBoard, SpoolSettings, ClockSettings, WebSettings, Bus, RS485, Sensor
    definitions = schema["$defs"] = {table.__name__: _of_table(table) for table in tables}
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
    bus["allOf"] = [_rule_for_protocol(entry, bus["properties"]) for entry in entries]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _usable() -> Iterator[CatalogueEntry]:
    """Yield the protocols that a bus can speak; leave out those of packages that cannot be imported."""
    for name in names():
        with suppress(PackageError):
            yield load(name)


def _of_table(table: type[Table]) -> Schema:
    """Return the schema of a table, of the keys that a file can have."""
    texts, keys = _texts(table), table.fields_by_key()
    return {
        "title": table.__name__,
        "description": inspect.getdoc(table),
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _of_key(key) | {"description": texts[key.field]} for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.default is None],
    }


def _of_key(key: Key) -> Schema:
    """Return the schema of a key's value, with its default as a file writes it."""
    if key.kind is None:  # a table, which has defaults for each of its keys; or several
        inner = (*get_args(key.type), key.type)
        table = next(each for each in inner if isinstance(each, type) and issubclass(each, Table))
        reference = {"$ref": f"#/$defs/{table.__name__}"}
        return reference if key.type is table else {"type": "object", "additionalProperties": reference}
    schema = key.kind.schema()
    if key.example is not None:
        schema["examples"] = [key.example]
    if key.default is not None and (default := key.default()) is not None:
        schema["default"] = key.kind.written(default)
    return schema


def _texts(table: type[Table]) -> dict[str, str]:
    """Return the text below each field in the source, by the field's name.

    Only the schema reads these: a service that starts has no use for them.
    """
    definition = ast.parse(inspect.getsource(table)).body[0]
    assert isinstance(definition, ast.ClassDef)
    texts: dict[str, str] = {}
    for field, text in pairwise(definition.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                texts[name] = inspect.cleandoc(words)
    return texts


def _with_keys_of(entry: CatalogueEntry, sensor: Schema) -> Schema:
    """Return the schema of a sensor's table on a bus that speaks this protocol."""
    return {
        **sensor,
        **{key: rule for key, rule in entry.schema.items() if key != "$defs"},
        "properties": {**sensor["properties"], **entry.schema["properties"]},
        "required": [*sensor["required"], *entry.schema.get("required", ())],
    }


def _rule_for_protocol(entry: CatalogueEntry, known_keys: Collection[str]) -> Mapping[str, Any]:
    """Return the rule for a bus that speaks this protocol: which keys it must have, and may not have."""
    key_rules = (
        dict.fromkeys(set(known_keys) - set(Bus.fields_by_key()), False) | entry.bus_schema["properties"]
    )
    sensor = {"items": {"$ref": f"#/$defs/Sensor-{entry.name}"}}
    then: Schema = {"properties": {"sensor": sensor, **key_rules}}
    required = [*entry.bus_schema["required"], *(["line"] if entry.line is None else [])]
    if required:
        then["required"] = required
    return {"if": {"properties": {"protocol": {"const": entry.name}}, "required": ["protocol"]}, "then": then}
