"""What each sensor measured in the last hour: one value a minute, for a small chart. Pure: time is passed in.

It lies in the file of the line's history, and is as new as that. A minute has the newest reading taken in it;
a minute without one has no value, and nothing old is drawn as new.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from protocols.toolkit.keys import is_number

if TYPE_CHECKING:
    from bridge.status.documents import SensorDocument

MINUTES: Final = 60
KEYS: Final = 8  # of one sensor; further ones have no chart
_MINUTE_S: Final = 60

Minute = tuple[int, dict[str, float]]
"""The number of a minute since boot, and the values of it by their keys."""


class ValueHistory:
    """The last hour of each sensor of a bus.

    Args:
        earlier: that of an earlier process of this boot, from `parse`.
    """

    def __init__(self, earlier: Mapping[str, list[Minute]] | None = None) -> None:
        self._rings = {name: deque(ring, MINUTES) for name, ring in (earlier or {}).items()}
        self._last_ts: dict[str, int | None] = {}
        self._number: int | None = None

    def observe(self, boottime_s: float, sensors: Mapping[str, SensorDocument]) -> None:
        """Take note of what is published now; arguments as of `LineHistory.observe`."""
        number = int(boottime_s // _MINUTE_S)
        if number == self._number:
            return
        self._number = number
        for name, document in sensors.items():
            ts, last_ts = document.get("last_ts"), self._last_ts.get(name)
            self._last_ts[name] = ts
            values = _numbers(document) if ts is not None and ts != last_ts else {}
            if values:
                self._rings.setdefault(name, deque(maxlen=MINUTES)).append((number, values))
        for name in self._rings.keys() - sensors.keys():  # no longer in site.toml
            del self._rings[name]

    def text(self) -> str:
        """Return what is kept as a member of a JSON object, for `parse`."""
        number = self._number or 0
        rings = {
            name: [minute for minute in ring if minute[0] > number - MINUTES]
            for name, ring in self._rings.items()
        }
        return f'"values":{json.dumps(rings, separators=(",", ":"))}'


def parse(document: object, boot_id: str) -> dict[str, list[Minute]]:
    """Return the minutes of each sensor, the newest last; none from another boot or a damaged document."""
    match document:
        case {"boot_id": str(known), "values": dict(sensors)} if known == boot_id:
            return {str(name): _ring(rows) for name, rows in sensors.items()}
    return {}


def _ring(rows: object) -> list[Minute]:
    ring: list[Minute] = []
    for row in rows[-MINUTES:] if isinstance(rows, list) else ():
        match row:
            case [int(number), dict(values)] if not ring or number > ring[-1][0]:
                ring.append(
                    (number, {str(key): float(each) for key, each in values.items() if is_number(each)})
                )
    return ring


def _numbers(document: SensorDocument) -> dict[str, float]:
    values = document.get("last_values") or {}
    numbers = {key: float(value) for key, value in values.items() if is_number(value)}
    return dict(list(numbers.items())[:KEYS])
