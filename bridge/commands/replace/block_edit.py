"""Edit one sensor's block in site.toml: keys change in their place, new keys get lines of their own in it.

A new key must stand above the block's sub-tables, and a comment below a block belongs to what follows. So new
lines go right behind a line of a key that the block has, wherever that gives the tables that are wanted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import tomlkit

from bridge.config import Offset
from bridge.config.edit import edit, edited_text
from bridge.config.toml_lines import toml_lines
from bridge.errors import ConfigError


def edit_block(
    path: Path,
    bus: str,
    sensor: str,
    keys: Mapping[str, Any],
    offsets: Mapping[str, Offset | None],
) -> None:
    """Change keys and offsets of a sensor; comments and order of the file stay.

    Args:
        path: site.toml.
        bus, sensor: their names.
        keys: the new value of each key of the block; None: the key goes.
        offsets: likewise the offset of each value.

    Raises:
        ConfigError: the file cannot be replaced, or is written in a way that cannot be edited safely.
    """
    edit(path, lambda text: changed_text(path, text, bus, sensor, keys, offsets))


def changed_text(
    path: Path,
    text: str,
    bus: str,
    sensor: str,
    keys: Mapping[str, Any],
    offsets: Mapping[str, Offset | None],
) -> str:
    """Return the text of site.toml with these changes. Arguments and errors as for `edit_block`."""
    by_hand = f"change the block of {sensor} by hand, as shown"
    entries = {key: None if offset is None else _entry(offset) for key, offset in offsets.items()}
    block = _block(tomllib.loads(text), bus, sensor)
    new_keys = {key: value for key, value in keys.items() if key not in block}
    new_entries = {
        key: entry
        for key, entry in entries.items()
        if entry is not None and key not in block.get("offsets", {})
    }
    lines = [f"{key} = {_toml(value)}" for key, value in new_keys.items() if value is not None]
    lines += [f"offsets.{_quoted(key)} = {_inline(entry)}" for key, entry in new_entries.items()]

    def add(tables: Any) -> None:
        place = _block(tables, bus, sensor)
        place |= {key: value for key, value in new_keys.items() if value is not None}
        if new_entries:
            place.setdefault("offsets", {}).update(new_entries)

    def change(tables: Any) -> None:
        place = _block(tables, bus, sensor)
        for key, value in keys.items():
            if key in place and value is not None:
                place[key] = value
        for key, entry in entries.items():
            if entry is not None and key in place.get("offsets", {}):
                place["offsets"][key].update(entry)

    def remove(tables: Any) -> None:
        place = _block(tables, bus, sensor)
        for key in [key for key, value in keys.items() if key in place and value is None]:
            del place[key]
        for key in [
            key for key, entry in entries.items() if key in place.get("offsets", {}) and entry is None
        ]:
            del place["offsets"][key]

    changed = edited_text(path, text, change, by_hand)
    if lines:
        expected_tables = tomllib.loads(changed)
        add(expected_tables)
        changed = next(
            (
                variant
                for variant in _with_lines(changed, bus, sensor, lines)
                if _means(variant, expected_tables)
            ),
            "",
        ) or edited_text(path, changed, add, by_hand)
    return edited_text(path, changed, remove, by_hand)


def _with_lines(text: str, bus: str, sensor: str, lines: list[str]) -> Iterator[str]:
    """Yield the text with new lines behind each line on which a plain key of the block begins.

    The last comes first.
    """
    tables = tomllib.loads(text)
    index = tables["bus"][bus]["sensor"].index(_block(tables, bus, sensor))
    block = tables["bus"][bus]["sensor"][index]
    places = toml_lines(text)
    starts = sorted(
        {
            places[path]
            for key, value in block.items()
            if not isinstance(value, dict) and (path := ("bus", bus, "sensor", index, key)) in places
        },
        reverse=True,
    )
    rows = text.splitlines(keepends=True)
    for start in starts:
        ending = "\r\n" if rows[start - 1].endswith("\r\n") else "\n"
        head = "".join(rows[:start])
        head += "" if head.endswith("\n") else ending
        yield head + "".join(line + ending for line in lines) + "".join(rows[start:])


def _means(text: str, tables: Mapping[str, Any]) -> bool:
    with suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(text) == tables
    return False


def _block(tables: Any, bus: str, sensor: str) -> Any:
    """Return the block of a sensor.

    Raises:
        ConfigError: the file has no such block any more.
    """
    for block in tables.get("bus", {}).get(bus, {}).get("sensor", ()):
        if block.get("name") == sensor:
            return block
    raise ConfigError(
        [f"bus {bus} has no sensor {sensor} any more: the file was changed meanwhile, try again"]
    )


def _entry(offset: Offset) -> dict[str, Any]:
    return {"add": offset.add, "since": offset.since}


def _inline(entry: Mapping[str, Any]) -> str:
    since: datetime = entry["since"]
    return f"{{ add = {_toml(entry['add'])}, since = {since.isoformat().replace('+00:00', 'Z')} }}"


def _quoted(key: str) -> str:
    return tomlkit.key(key).as_string() if key.isascii() else _toml(key)


def _toml(value: object) -> str:
    return str(tomlkit.item(value).as_string())
