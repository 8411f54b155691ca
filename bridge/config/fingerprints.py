"""Fingerprints that show which services an edit of site.toml concerns.

Each depends on a part of the file: a bus on its table, its models, the spool and the clock; the uplink on the
server, the spool, the clock and the names of the sensors. A fingerprint covers the parsed part, so
comments do not change it, nor does the order of keys where that means nothing; and it covers the program, so
an upgrade changes all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import bridge

_DIGITS = 12


def fingerprints(
    tables: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]], contents: Iterable[bytes] = ()
) -> dict[str, str]:
    """Return the fingerprints of "bus-NAME" for each bus, and of "uplink".

    Args:
        tables: those of a site file without mistakes.
        models: the site's own, by name.
        contents: those of the files that [thingsboard] names: the contents count, not the paths.
    """
    installed = Path(bridge.__file__).stat().st_mtime_ns
    shared = [installed, tables.get("spool"), tables.get("clock")]
    buses = tables.get("bus", {})
    prints = {
        f"bus-{name}": _fingerprint(
            shared, table, _fields(table), {key: models.get(key) for key in _models(table)}
        )
        for name, table in buses.items()
    }
    names = [[bus, sensor["name"]] for bus, table in buses.items() for sensor in table.get("sensor", ())]
    digests = [sha256(content).hexdigest() for content in contents]
    prints["uplink"] = _fingerprint(shared, tables["thingsboard"], sorted(names), digests)
    return prints


def _models(bus: Mapping[str, Any]) -> Iterator[str]:
    """Yield the models that a bus's sensors name."""
    for sensor in bus.get("sensor", ()):
        if "model" in sensor:
            yield str(sensor["model"])


def _fields(bus: Mapping[str, Any]) -> list[str]:
    """Return the bus's declared frame fields in order: the order places those without a position."""
    return list(bus.get("frame", {}).get("fields", {}))


def _fingerprint(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:_DIGITS]
