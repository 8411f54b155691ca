"""Models with random content, laid out and read by the SunSpec Alliance's own library."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import sunspec2.device

_INTEGERS = {
    "int16": (-32767, 32767),
    "uint16": (0, 65534),
    "count": (0, 65534),
    "acc16": (1, 65535),
    "int32": (-(2**31) + 1, 2**31 - 1),
    "uint32": (0, 2**32 - 2),
    "acc32": (1, 2**32 - 1),
    "int64": (-(2**53), 2**53),
    "uint64": (0, 2**53),
    "acc64": (1, 2**53),
    "bitfield16": (0, 65534),
    "bitfield32": (0, 2**32 - 2),
    "enum16": (0, 65534),
    "enum32": (0, 2**32 - 2),
}
_SHARE_MISSING = 0.2  # of the points: not implemented


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with nine digits of each number: the library reckons with binary fractions."""
    return {key: value if isinstance(value, str) else float(f"{value:.9g}") for key, value in values.items()}


class ForeignModel:
    """One model with random content, as the foreign library lays it out and reads it."""

    def __init__(self, number: int, seed: int) -> None:
        self._random = random.Random(f"{number} {seed}")
        definition = sunspec2.device.get_model_def(number, mapping=False)["group"]
        data = self._group(definition, {}) | {"ID": number, "L": 0}
        model = sunspec2.device.Model(number, data=data)
        self.octets: bytes = model.get_mb()
        self.length = len(self.octets) // 2 - 2
        self.words = [
            number,
            self.length,
            *(int.from_bytes(self.octets[at : at + 2], "big") for at in range(4, len(self.octets), 2)),
        ]
        content = sunspec2.device.Model(number, model_len=self.length, data=self.octets)
        self.values = rounded(dict(_values(content, definition, definition["name"])))

    def _group(self, definition: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, Any]:
        counts = {**{name: self._random.randint(1, 3) for name in _counts(definition)}, **counts}
        data: dict[str, Any] = {point["name"]: self._point(point, counts) for point in definition["points"]}
        for inner in definition.get("groups", ()):
            count = inner.get("count")
            if count is None:
                data[inner["name"]] = self._group(inner, counts)
                continue
            times = counts[count] if isinstance(count, str) else count or self._random.randint(1, 3)
            data[inner["name"]] = [self._group(inner, counts) for _ in range(times)]
        return data

    def _point(self, point: Mapping[str, Any], counts: Mapping[str, int]) -> Any:
        kind = point["type"]
        if point["name"] in counts:
            return counts[point["name"]]
        if kind == "sunssf":
            return self._random.randint(-4, 3)
        if self._random.random() < _SHARE_MISSING:
            return None
        if point.get("symbols") and kind.startswith("enum") and self._random.random() < 0.8:
            return self._random.choice(point["symbols"])["value"]
        if kind in _INTEGERS:
            return self._random.randint(*_INTEGERS[kind])
        match kind:
            case "string":
                return "".join(
                    self._random.choices("ABCxyz019", k=self._random.randint(1, 2 * point["size"]))
                )
            case "float32":
                return self._random.choice((0.5, 230.25, -17.125, 1e6))
            case "ipaddr":
                return self._random.randint(1, 2**32 - 1)
            case "ipv6addr":
                return ":".join(f"{self._random.getrandbits(32):08X}" for _ in range(4))
            case "eui48":
                return ":".join(f"{self._random.randint(0, 254):02X}" for _ in range(6))
        return None


def _counts(definition: Mapping[str, Any]) -> Iterator[str]:
    for inner in definition.get("groups", ()):
        if isinstance(inner.get("count"), str):
            yield inner["count"]
        yield from _counts(inner)


def _values(group: Any, definition: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Yield the values that the foreign library reads in a group, by our keys."""
    for index, point in enumerate(definition["points"]):
        if point["type"] in ("pad", "sunssf") or (name == definition["name"] and index < 2):
            continue
        if point["size"] > 125:  # longer than a read: no master can have it
            continue
        value = group.points[point["name"]].cvalue
        if point["type"] == "ipaddr" and value is not None:
            value = ".".join(map(str, value.to_bytes(4, "big"))) if isinstance(value, int) else value
        if value is not None and value != "":
            symbols = {symbol["value"]: symbol["name"] for symbol in point.get("symbols", ())}
            yield f"{name}_{point['name']}", symbols.get(value, value) if "enum" in point["type"] else value
    for inner in definition.get("groups", ()):
        content = group.groups.get(inner["name"], ())
        if inner.get("count") is None:
            yield from _values(content, inner, f"{name}_{inner['name']}")
            continue
        for index, repeated in enumerate(content, 1):
            yield from _values(repeated, inner, f"{name}_{inner['name']}_{index}")
