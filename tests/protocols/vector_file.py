"""A file of tests/vectors: its vectors, and what holds for all of them.

Where the vectors' words are not ours, what the check of the protocol leaves open, and what may stand around a
frame is said by the file itself (tests/vectors/README.md lists the keys), so that no table here knows a
protocol. A file from elsewhere may be the list of its vectors alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "vectors"
MAPS = "modbus_devices"
"""The one file there that holds no vectors: register maps."""

Vector = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gap:
    """Octets of a good frame that the protocol's check does not cover.

    Attributes:
        reason: why, by the protocol's own design.
        frames: a regular expression; the gap is in the frames where it is found.
        octets: their offsets; without any, the whole frame.
    """

    reason: str
    frames: str = ""
    octets: Sequence[int] = ()

    def of(self, frame: bytes) -> Collection[int]:
        """Return the offsets in this frame."""
        if not re.search(self.frames.encode("latin-1"), frame, re.DOTALL):
            return ()
        return self.octets or range(len(frame))


@dataclass(frozen=True, slots=True)
class VectorFile:
    """What a file says; each key of it that is not there has the value given here.

    Attributes:
        vectors: the vectors.
        protocols: whose they are, where that is not the one protocol of the file's name.
        names: what the vectors call a field → what we call it, where that differs.
        open: what the check does not cover.
        undetected_pairs: share of frames with two or three flipped bits that may pass the check. In a sum
            of octets two flips of one bit may cancel: 1/32. In an exclusive or they always do: one in eight.
        idle: octets that may stand before a frame in any number, as part of it; behind noise they join it.
        alone: a frame without head or check: one only where nothing but good frames stands between it and a
            silence.
        tiled: the protocols for which several frames are one telegram.
        decoded_by_map: whether what a vector states as `decoded` takes the device's register map.
    """

    vectors: list[Vector]
    protocols: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    open: Sequence[Gap] = ()
    undetected_pairs: float = 1 / 32
    idle: bytes = b""
    alone: bytes | None = None
    tiled: Sequence[str] = ()
    decoded_by_map: bool = False

    @classmethod
    def read(cls, path: Path) -> VectorFile:
        """Read a file; a key that is not known is an error of the test."""
        content = json.loads(path.read_text("utf-8"))
        keys = {"vectors": content} if isinstance(content, list) else content
        for name in {"idle", "alone"} & keys.keys():
            keys[name] = bytes.fromhex(keys[name])
        keys["open"] = [Gap(**gap) for gap in keys.get("open", ())]
        return cls(**keys)

    def uncovered(self, frame: bytes) -> set[int]:
        """Return the offsets of a good frame that its check does not cover."""
        return {offset for gap in self.open for offset in gap.of(frame)}


@cache
def files() -> dict[str, VectorFile]:
    """Return every file of ours by its name without `.json`."""
    return {path.stem: VectorFile.read(path) for path in sorted(FOLDER.glob("*.json")) if path.stem != MAPS}


def stems_of(name: str) -> Iterator[str]:
    """Yield the names of all files that hold vectors of a protocol, its own first."""
    stem = name.replace("-", "_")
    if stem in files():
        yield stem
    yield from (other for other, file in files().items() if name in file.protocols and other != stem)


def file_of(name: str) -> VectorFile:
    """Return the file with a protocol's vectors: its own, or else the one that names it in `protocols`.

    Raises:
        KeyError: no file holds any.
    """
    return files()[next(stems_of(name), name)]
