"""Every vector through the real command: `make vectors`, or `make vectors VECTORS=DIR` for another folder.

Each file of the folder is piped, one vector a line, through `serial-bridge decode NAME - --json`; what comes
back is held against what the vector says:

    valid     exactly this frame; idle octets at its ends are in it or in noise
    invalid   no frame, unless the note says that its octets also read as a good one
    streams   exactly the listed frames at their offsets, or as many good and bad ones as are stated
    values    every number and text stated, under the vector's name of it or ours; those `decoded` under any

Not counted are vectors that are `optional` (two readings are defensible), values of a telegram that means "no
data" (`semantic`), and what a device's register map makes of a Modbus reply: that takes `--model`, and the
tests of the maps. Exit 1 if anything is missed. For the tests' own folder it writes the table of
docs/contributing.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.commands.decode import streams as decode
from protocols import CATALOGUE, load
from tests.benchmarks.table import DOCS, Row, markdown, put
from tests.protocols.vector_file import FOLDER, Vector, VectorFile, file_of, stems_of
from tests.protocols.vectors import holds_a_good_one

MARKER = "vectors"
COMMAND = Path(sys.executable).with_name("serial-bridge")
SML_START = bytes.fromhex("1b1b1b1b01010101")

Line = dict[str, Any]
Decoder = Callable[[str, Sequence[str]], list[str]]

_NOTHING = object()
_NO_RECORDS = ("Manufacturer specific", "More records follow")
_TIME = re.compile(r"\d{4}-(?!00)\d\d-\d\d(T\d\d:\d\d:00Z)?")
_COLUMNS = ("valid", "invalid refused", "streams exact", "values equal")


def command(name: str, lines: Sequence[str]) -> list[str]:
    """What the installed command says to these lines of hex; what it complains of goes where ours goes."""
    args = [str(COMMAND), "decode", name, "-", "--json"]
    asked = "".join(f"{line}\n" for line in lines)
    run = subprocess.run(args, input=asked, stdout=subprocess.PIPE, text=True, check=False, timeout=300)
    return run.stdout.splitlines()


def here(name: str, lines: Sequence[str]) -> list[str]:
    """Return the same without a process of its own."""
    out = io.StringIO()
    decode.run(load(name), "-", None, True, io.StringIO("".join(f"{line}\n" for line in lines)), out)
    return out.getvalue().splitlines()


@dataclass(slots=True)
class Tally:
    """How the vectors of one protocol went: of each column how many were good, of how many."""

    name: str
    good: list[int] = field(default_factory=lambda: [0] * len(_COLUMNS))
    all: list[int] = field(default_factory=lambda: [0] * len(_COLUMNS))
    missed: list[str] = field(default_factory=list)
    optional: list[str] = field(default_factory=list)

    def count(self, column: str, are_good: Sequence[bool], what: str) -> None:
        """Count each; what is wrong about any of them is said once."""
        at = _COLUMNS.index(column)
        self.good[at] += sum(are_good)
        self.all[at] += len(are_good)
        if not all(are_good):
            self.missed.append(f"{what}: {column}?")

    @property
    def row(self) -> Row:
        return Row(f"`{self.name}`", *(f"{a} of {b}" for a, b in zip(self.good, self.all, strict=True)))


def check(folder: Path, decoder: Decoder) -> tuple[list[Tally], list[str]]:
    """Return the tallies of all protocols that have vectors in the folder, and the files that are of none."""
    checked = {path.stem: path for path in sorted(folder.glob("*.json"))}
    tallies = []
    for name in CATALOGUE:
        if paths := [checked[stem] for stem in stems_of(name) if stem in checked]:
            tallies.append(_tally(name, [vector for path in paths for vector in _vectors(path)], decoder))
    known = {stem for name in CATALOGUE for stem in stems_of(name)}
    return tallies, [stem for stem, path in checked.items() if stem not in known and _vectors(path)]


def table(tallies: Sequence[Tally]) -> list[Row]:
    """A row for each protocol, below a head."""
    return [Row("protocol", *_COLUMNS), *(tally.row for tally in tallies)]


def main(folder: Path) -> int:
    """Check a folder, and print the table and what was missed; 1 if anything was."""
    tallies, strange = check(folder, command)
    rows = [*table(tallies), *(Row(f"`{stem}`", "no such protocol", "", "", "") for stem in strange)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for tally in tallies:
        for what in tally.optional:
            print(f"not counted, two readings are defensible: {what}")
    missed = [what for tally in tallies for what in tally.missed]
    for what in missed:
        print(f"missed: {what}")
    if folder.resolve() == FOLDER.resolve():
        put(MARKER, markdown(table(tallies)), DOCS / "contributing.md")
    return int(bool(missed))


def _vectors(path: Path) -> list[Vector]:
    return [vector for vector in VectorFile.read(path).vectors if "hex" in vector]


def _tally(name: str, vectors: Sequence[Vector], decoder: Decoder) -> Tally:
    heard: list[list[Line]] = [[] for _ in vectors]
    for text in decoder(name, [vector["hex"] for vector in vectors]):
        line = json.loads(text)
        heard[line["stream"]].append(line)
    tally = Tally(name)
    for vector, lines in zip(vectors, heard, strict=True):
        frames = [line for line in lines if "frame" in line]
        covered = b"".join(bytes.fromhex(line.get("frame") or line.get("noise", "")) for line in lines)
        if covered.hex() != vector["hex"].lower():
            tally.missed.append(f"{vector['id']}: every octet in one event?")
        if "optional" in vector:
            tally.optional.append(f"{vector['id']}: {len(frames)} heard; {vector['optional']}")
        elif vector["direction"] == "stream":
            _stream(tally, vector, lines, frames)
        elif not vector["valid"]:
            is_refused = not frames or holds_a_good_one(vector)
            tally.count("invalid refused", [is_refused], vector["id"])
        else:
            tally.count("valid", [_is_whole(name, vector, lines, frames)], vector["id"])
            told: Line = {}
            for frame in frames:
                told |= frame["fields"]
            _values(tally, vector, vector["expected"], told, vector["id"])
    return tally


def _is_whole(name: str, vector: Vector, lines: Sequence[Line], frames: Sequence[Line]) -> bool:
    noise = b"".join(bytes.fromhex(line["noise"]) for line in lines if "noise" in line)
    is_idle = not noise.strip(_idle(name)) or "trailing_ok" in vector
    return is_idle and (len(frames) == 1 or bool(frames and name in file_of(name).tiled))


def _stream(tally: Tally, vector: Vector, lines: Sequence[Line], frames: Sequence[Line]) -> None:
    expected, what = vector["expected"], vector["id"]
    if "frames_ok" in expected:
        bad = sum(bytes.fromhex(line["noise"]).count(SML_START) for line in lines if "noise" in line)
        counted = (len(frames), bad) == (expected["frames_ok"], expected["frames_bad"])
        tally.count("streams exact", [counted], what)
        for which, at in (("first", 0), ("last", -1)):
            if which in expected:
                told = frames[at]["fields"] if frames else {}
                _values(tally, vector, expected[which], told, f"{what}, {which}")
        return
    listed = expected["frames"]
    idle = _idle(tally.name)
    is_exact = [_placed(frame["offset"], frame["frame"], idle) for frame in frames] == [
        _placed(frame["offset"], frame["hex"], idle) for frame in listed
    ]
    tally.count("streams exact", [is_exact], what)
    for number, (frame, heard) in enumerate(zip(listed, frames, strict=False)):
        _values(tally, vector, frame["expected"], heard["fields"], f"{what}, frame {number}")


def _idle(name: str) -> bytes:
    return file_of(name).idle + b"\r\n"


def _placed(offset: int, digits: str, idle: bytes) -> tuple[int, bytes]:
    data = bytes.fromhex(digits)
    return offset + len(data) - len(data.lstrip(idle)), data.strip(idle)


def _values(tally: Tally, vector: Vector, expected: Line, told: Line, what: str) -> None:
    names, tolerance = file_of(tally.name).names, vector.get("tolerance", {})
    stated = _in_our_words(expected)
    for key, value in stated.items():
        if key == "decoded" or "semantic" in vector or ("map" in vector and key == "value"):
            continue
        found = told.get(names.get(key, key), _NOTHING)
        are_equal = list(_compared(value, found, tolerance.get(key, 0)))
        tally.count("values equal", are_equal, f"{what}, {key}: {_short(value)}, told {_short(found)}")
    decoded = {} if file_of(tally.name).decoded_by_map else stated.get("decoded", {})
    for key, value in decoded.items():
        places = [told[key]] if key in told else _all(told)
        ways = (list(_compared(value, place, tolerance.get(key, 0))) for place in places)
        are_equal = max(ways, key=sum)
        tally.count("values equal", are_equal, f"{what}, {key}: {_short(value)}, told {_short(told)}")


def _short(value: object) -> str:
    text = "nothing" if value is _NOTHING else repr(value)
    return text if len(text) < 60 else f"{text[:60]} …"


def _in_our_words(expected: Line) -> Line:
    """What is stated, without the words of a library: libmbus prints names, units and times its own way.

    Of its records the numbers are held against ours, six decimals of them, and where they belong; of its
    times what M-Bus transmits: no seconds, no zone. A product's name is from a table of its own, and its "°"
    was encoded twice.
    """
    stated = {
        key: value.encode("latin-1").decode() if isinstance(value, str) and "Â" in value else value
        for key, value in expected.items()
        if key != "product_name"
    }
    records = expected.get("records", ())
    if any("storagenumber" in record for record in records):
        stated["records"] = [_record(record) for record in records if record["function"] not in _NO_RECORDS]
    return stated


def _record(printed: Line) -> Line:
    ours = {"storagenumber": "storage", "tariff": "tariff", "device": "subunit"}
    record: Line = {name: printed[key] for key, name in ours.items() if key in printed}
    if "number" in printed:
        record["value"] = _Printed(printed["number"])
    elif _TIME.fullmatch(printed["value"]):
        record["value"] = printed["value"].removesuffix(":00Z")
    return record


class _Printed(float):
    """A number that its source printed with six decimals, and all the digits of a float32."""

    @property
    def tolerance(self) -> float:
        return 0.5e-6 + abs(self) * 2**-24


def _compared(stated: object, told: object, tolerance: float) -> Iterator[bool]:
    """For each number and text that is stated, whether it is told."""
    if isinstance(stated, dict) and isinstance(told, dict) and stated:
        for key, value in stated.items():
            yield from _compared(value, told.get(key, _NOTHING), tolerance)
    elif isinstance(stated, list) and isinstance(told, list) and len(stated) == len(told) > 0:
        for value, other in zip(stated, told, strict=True):
            yield from _compared(value, other, tolerance)
    elif isinstance(stated, int | float) and isinstance(told, int | float):
        yield abs(stated - told) <= (stated.tolerance if isinstance(stated, _Printed) else tolerance)
    else:
        yield stated == told


def _all(told: object) -> Iterator[object]:
    """Yield all that is told, at any depth."""
    yield told
    if isinstance(told, dict):
        told = list(told.values())
    if isinstance(told, list):
        for item in told:
            yield from _all(item)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
