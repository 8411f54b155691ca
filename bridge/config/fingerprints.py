"""Which service an edit of site.toml concerns.

Each depends on a part of the file: a bus on its table, its models, the spool and the clock; the uplink on the
server, the spool, the clock and the names of the sensors. A fingerprint is taken of that part as it is meant,
so neither a comment nor the order of keys changes it, where that means nothing; and of the program, so an
upgrade changes all.
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
    """The fingerprints of "bus-NAME" for each bus, and of "uplink".

    Args:
        tables: of a site file without mistakes.
        models: the site's own, by name.
        contents: of the files that [thingsboard] names: what they hold counts, not where they are.
    """
    installed = Path(bridge.__file__).stat().st_mtime_ns
    shared = [installed, tables.get("spool"), tables.get("clock")]
    buses = tables.get("bus", {})
    found = {
        f"bus-{name}": _fingerprint(
            shared, table, _fields(table), {key: models.get(key) for key in _models(table)}
        )
        for name, table in buses.items()
    }
    names = [[bus, sensor["name"]] for bus, table in buses.items() for sensor in table.get("sensor", ())]
    digests = [sha256(content).hexdigest() for content in contents]
    found["uplink"] = _fingerprint(shared, tables["thingsboard"], sorted(names), digests)
    return found


def _models(bus: Mapping[str, Any]) -> Iterator[str]:
    """The models that a bus's sensors name."""
    for sensor in bus.get("sensor", ()):
        if "model" in sensor:
            yield str(sensor["model"])


def _fields(bus: Mapping[str, Any]) -> list[str]:
    """The fields of the frame that it declares, in the order that places those which say no place."""
    return list(bus.get("frame", {}).get("fields", {}))


def _fingerprint(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:_DIGITS]
