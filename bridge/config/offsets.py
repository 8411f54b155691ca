"""The key `offsets` of a sensor: what is added to a counter so that it goes on where another one ended.

offsets = { import_energy = { add = 8123.4, since = 2026-11-29T16:40:00Z } }
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.config.kinds import Context, Kind, WrongKindError

_EXAMPLE = "{ import_energy = { add = 8123.4, since = 2026-11-29T16:40:00Z } }"


@dataclass(frozen=True, slots=True)
class Offset:
    """What is added to one value of a sensor.

    Attributes:
        add: in the value's unit; may be negative.
        since: when the device took over.
    """

    add: int | float
    since: datetime


class Offsets(Kind):
    """A table of offsets by the keys of the sensor's values."""

    def read(self, value: object, context: Context) -> dict[str, Offset]:
        """Return the offsets. Errors as for `Kind.read`."""
        if not isinstance(value, Mapping):
            raise WrongKindError(f"{context.shown(value)} is no table of offsets, write {_EXAMPLE}")
        return {str(key): _offset(str(key), entry) for key, entry in value.items()}

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        entry = {
            "type": "object",
            "properties": {
                "add": {"type": "number", "description": "Added to what the device says, in its unit."},
                "since": {"type": "string", "description": "When the device took over, with its zone."},
            },
            "required": ["add", "since"],
            "additionalProperties": False,
        }
        return {"type": "object", "additionalProperties": entry}


def _offset(key: str, entry: object) -> Offset:
    match entry:
        case {"add": add, "since": since, **rest} if not rest:
            pass
        case _:
            raise ValueError(f"the offset of {key} has exactly the keys add and since, as in {_EXAMPLE}")
    if isinstance(add, bool) or not isinstance(add, int | float) or not math.isfinite(add):
        raise ValueError(f"the offset of {key}: add is a number in the unit of {key}, without quotes")
    if not isinstance(since, datetime) or since.tzinfo is None:
        raise ValueError(
            f"the offset of {key}: since is a time with its zone, without quotes: 2026-11-29T16:40:00Z"
        )
    return Offset(add, since)
