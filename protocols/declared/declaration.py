"""The layout that a bus declares for a frame, and the check that its parts fit.

    sync … | length … | fields … | rest | … checksum | end
    at = 0, 1, 2 …                      at = …, -2, -1

A place from 0 on is counted from the first octet, a negative one from the end: -1 is the last octet. In a
frame that tells its length, what is counted from the end moves with it; octets that nobody declared lie
between. All parts have their room in the shortest frame there is, so a frame is never too short for a field.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from protocols.declared.types import Order, Type
from protocols.toolkit.checksum import Checksum
from protocols.toolkit.errors import Path, Problem
from protocols.toolkit.scaling import Meaning

SYNC, LENGTH, CHECKSUM, END = "the sync", "the length", "the checksum", "the end"

Pattern = tuple[int | None, ...]
"""Octets; None stands for any."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a frame: its place, its type, its meaning, and whether it identifies the sensor."""

    name: str
    at: int
    type: Type
    meaning: Meaning
    is_id: bool = False


@dataclass(frozen=True, slots=True)
class Length:
    """A length field in the frame: its number plus `add` is the length of the frame, in octets."""

    at: int
    type: Type
    add: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """The checksum: its place, and the span that it checks, `start` to before `stop` (None: to the end)."""

    checksum: Checksum
    at: int
    order: Order
    start: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """A span of octets in a frame. `what` names it in messages; `path` is its key below the frame."""

    at: int
    size: int
    what: str
    path: Path
    field: Field | None = None

    @property
    def end(self) -> int:
        """Return the place of the first octet behind this part."""
        return self.at + self.size


@dataclass(frozen=True)
class Declaration:
    """The layout of a frame, as the keys of a bus declare it.

    Attributes:
        sync: the octets it begins with; None stands for any octet.
        length: its number of octets, or the field that holds it.
        longest: the length of the longest frame, in octets.
        check: its checksum; None if it has none.
        end: the octets it ends with.
        fields: its fields, in the order of the file.
    """

    sync: Pattern
    length: int | Length
    longest: int
    check: Check | None
    end: bytes
    fields: tuple[Field, ...]

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts in the order of the frame; those counted from its end come last.

        If the length is fixed, nothing is counted from the end any more.
        """
        fixed = self.length if isinstance(self.length, int) else 0
        parts = [
            Part(part.at + fixed, part.size, part.what, part.path, part.field)
            if fixed and part.at < 0
            else part
            for part in self._parts()
        ]
        return tuple(sorted(parts, key=lambda part: (part.at < 0, part.at)))

    @property
    def front(self) -> int:
        """Return how many octets are counted from the beginning, gaps between parts included."""
        return max(part.end for part in self.parts if part.at >= 0)

    @property
    def back(self) -> int:
        """Return how many octets are counted from the end."""
        return max((-part.at for part in self.parts if part.at < 0), default=0)

    @property
    def shortest(self) -> int:
        """Return the length of the shortest frame, in octets."""
        return self.length if isinstance(self.length, int) else self.front + self.back

    @property
    def id(self) -> Field | None:
        """Return the field that identifies the sensor; None if the frame has none."""
        return next((field for field in self.fields if field.is_id), None)

    def _parts(self) -> Iterator[Part]:
        at = 0
        for is_fixed, octets in groupby(self.sync, lambda octet: octet is not None):
            size = len(list(octets))
            if is_fixed:
                yield Part(at, size, SYNC, ("sync",))
            at += size
        if isinstance(self.length, Length):
            yield Part(self.length.at, self.length.type.size, LENGTH, ("length", "at"))
        for field in self.fields:
            yield Part(field.at, field.type.size, field.name, ("fields", field.name), field)
        if self.check:
            yield Part(self.check.at, self.check.checksum.size, CHECKSUM, ("checksum",))
        if self.end:
            yield Part(-len(self.end), len(self.end), END, ("end",))


def misplaced(declaration: Declaration) -> list[Problem]:
    """Return the contradictions of a declaration.

    They are: parts outside the frame or across each other, an impossible length, a wrong span.
    """
    outside = list(_outside(declaration))
    return outside or [*_overlaps(declaration.parts), *_lengths(declaration), *_span(declaration)]


def _outside(declaration: Declaration) -> Iterator[Problem]:
    most = declaration.longest
    for part in declaration.parts:
        if part.at >= 0 and part.end > most:
            yield part.path, f"takes {_octets(part)}, the frame has {most}: the last one is {most - 1}"
        elif part.at < -most or (part.at < 0 and declaration.length == most):
            yield part.path, f"begins before the frame, which has {most} octets"
        elif part.at < 0 < part.end:
            yield (
                part.path,
                f"{part.size} octets at {part.at} go beyond the end of the frame, use {-part.size} or less",
            )


def _overlaps(parts: Sequence[Part]) -> Iterator[Problem]:
    """Yield parts that overlap; fields may share octets if they read the same ones in the same way."""
    before: Part | None = None
    for part in parts:
        if before and before.at < part.end and part.at < before.end:
            first, second = before.field, part.field
            if not (first and second):
                overlapping, across = (part, before) if part.field or not before.field else (before, part)
                yield overlapping.path, f"takes {_octets(overlapping)}, which {across.what} takes"
            elif (first.at, first.type) != (second.at, second.type):
                rule = "to take several bits of the same octets, give both fields the same at, type and order"
                yield part.path, f"takes {_octets(part)}, which {before.what} takes; {rule}"
        if before is None or part.end >= before.end or part.at < 0 <= before.at:
            before = part


def _octets(part: Part) -> str:
    return f"octet {part.at}" if part.size == 1 else f"octets {part.at} to {part.end - 1}"


def _lengths(declaration: Declaration) -> Iterator[Problem]:
    """Yield a problem for a length that no frame can have."""
    if isinstance(declaration.length, int):
        return
    least, most, add = declaration.shortest, declaration.longest, declaration.length.add
    highest = add + (1 << 8 * declaration.length.type.size) - 1
    if least > most:
        yield ("length", "max"), f"{most} octets are too few: what is declared takes {least}"
    elif add > most or highest < least:
        yield (
            ("length", "add"),
            f"the frame would have {add}–{highest} octets, which must meet the {least}–{most} that are "
            "declared: what counts the octet, which does it not count?",
        )


def _span(declaration: Declaration) -> Iterator[Problem]:
    """Yield a checked span that is empty, outside, or holds the checksum in the shortest or longest frame."""
    if declaration.check is None:
        return
    check = declaration.check
    span = f"the span from = {check.start}, to = {'the end' if check.stop is None else check.stop}"
    for length in (declaration.shortest, declaration.longest):
        start, at = _from_front(check.start, length), _from_front(check.at, length)
        stop = length if check.stop is None else _from_front(check.stop, length)
        if start < 0 or stop > length:
            fault = f"goes beyond a frame of {length} octets"
        elif start >= stop:
            fault = "is empty: `from` is its first octet, `to` the one behind its last"
        elif start < at + check.checksum.size and at < stop:
            fault = f"holds the checksum itself, which stands at {check.at}"
        else:
            continue
        yield ("checksum",), f"{span} {fault}"
        return


def _from_front(place: int, length: int) -> int:
    return place + length if place < 0 else place
