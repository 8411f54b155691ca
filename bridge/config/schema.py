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
    bus["allOf"] = [_rule_for_protocol(entry, bus["properties"]) for entry in entries]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _usable() -> Iterator[CatalogueEntry]:
    """Yield the protocols that a bus can speak; leave out those of packages that cannot be imported."""
    for name in names():
        with suppress(PackageError):
            yield load(name)


def _as_written(table: type[Table], schema: Schema) -> None:
    """Keep only the keys that a file can have, and give their defaults in the form that a file has."""
    fields = table.fields_by_key()
    schema["required"] = [key for key in schema.get("required", ()) if key in fields]
    schema["properties"] = {key: rule for key, rule in schema["properties"].items() if key in fields}
    texts = _texts(table)
    for key, rule in schema["properties"].items():
        rule["description"] = texts[key]
        rule.pop("title", None)
        if isinstance(rule.get("default"), dict):
            rule.pop("default")  # a table has defaults for each of its keys
        if rule.get("default", 0) is None:  # TOML has no null: what has no value is not written
            rule.pop("default")
            rule |= rule.pop("anyOf")[0]
        quantity = next((note for note in fields[key].metadata if isinstance(note, Quantity)), None)
        if quantity and "default" in rule:
            rule["default"] = quantity.write(rule["default"])


def _texts(table: type[Table]) -> dict[str, str]:
    """Return the text below each key in the source, by key.

    Only the schema reads these: a service that starts has no use for them.
    """
    definition = ast.parse(inspect.getsource(table)).body[0]
    assert isinstance(definition, ast.ClassDef)
    texts: dict[str, str] = {}
    for field, text in pairwise(definition.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                texts[table.model_fields[name].alias or name] = inspect.cleandoc(words)
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
