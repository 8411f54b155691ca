"""The search for secondary addresses as a tree: a pattern with wildcards selects all meters that it covers.

    FFFFFFFF                    several answer
      FFFFFFF0 … FFFFFFF9       one digit more is fixed, where again several answer …

Nobody answers: the branch is empty. One answers whole: it says its own address, and the branch is done.
Several answer at once, so that no reply is whole: they are divided by the next digit.

The last digit is fixed first: meters from one box differ there, and have the first digits in common, which
divide nobody. When all eight digits are fixed, the medium divides those that have one number, then the
version, then the manufacturer.

Where many branches are to be divided by the same digit, the whole line is asked first which values that digit
has at all: of one box it has few, and those that it never has need not be tried in any branch.

A branch where several answered has at least two meters. If its parts show fewer, it is asked once more: noise
may have been taken for several meters. If they are several again, a reply was lost, or a number has a letter
in it (some have, against the standard): the parts that were empty are asked again, and the letters A to E.

Pure: it yields patterns, and is sent what answered. It knows nothing of frames.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from protocols.mbus.secondary import ANY_OCTET, Secondary

ANYBODY: Final = Secondary("f" * 8)
MAKERS: Final = (
    "AAA",
    "ABB",
    "ACT",
    "ACW",
    "AMT",
    "AMX",
    "APA",
    "BAS",
    "BZR",
    "DME",
    "DZG",
    "EFE",
    "EIE",
    "EIM",
    "ELS",
    "ELV",
    "EMH",
    "EMU",
    "GAV",
    "GMC",
    "GWF",
    "HYD",
    "INE",
    "ISK",
    "ITR",
    "ITW",
    "JAN",
    "KAM",
    "LGZ",
    "LSE",
    "LUG",
    "MAD",
    "MEI",
    "MIN",
    "NZR",
    "PAD",
    "QDS",
    "REL",
    "RKE",
    "SAP",
    "SBC",
    "SCH",
    "SEN",
    "SIE",
    "SON",
    "SPX",
    "SVM",
    "TCH",
    "TIP",
    "TRL",
    "WEP",
    "WZG",
    "XMX",
    "ZEN",
    "ZRI",
)
"""Manufacturers that divide meters which have everything else in common."""

_DEFINED_MEDIA: Final = 0x40  # EN 13757-3: the codes from here on are reserved
_ENOUGH_DIGITS: Final = 6  # branches from which on it pays to ask the whole line for a digit
_ENOUGH_OCTETS: Final = 2
_FIRST: Final = 3  # values that tell whether a part is the same in many meters


@dataclass(frozen=True, slots=True)
class Nobody:
    """No meter answered."""


@dataclass(frozen=True, slots=True)
class One:
    """One meter answered, with this address."""

    address: Secondary


@dataclass(frozen=True, slots=True)
class Several:
    """More than one meter answered, or something spoilt the reply of one."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A question of the search.

    Attributes:
        pattern: whom to select.
        is_census: whether anybody answers is all that matters; nobody needs to be read.
    """

    pattern: Secondary
    is_census: bool = False


Answer = Nobody | One | Several
Walk = Generator[Selection, Answer, Sequence[Secondary]]
Branches = Generator[Selection, Answer, list[Secondary]]


def walk(pattern: Secondary = ANYBODY) -> Walk:
    """Search all meters that a pattern covers.

    Yields:
        The selections, one after the other; it is to be sent who answered. An answer to a census that is not
        `Nobody` may be any other.

    Returns:
        The patterns that several meters answered, and that nothing divides: meters with one address.
    """
    if not isinstance((yield Selection(pattern)), Several):
        return ()
    branches = [pattern]
    for step in _STEPS:
        if not branches:
            break
        if step.is_fixed(pattern):
            continue
        values = step.usual
        if len(branches) >= step.enough:
            values = yield from _census(step, pattern)
        parts: list[Secondary] = []
        for branch in branches:
            parts += yield from _divide(branch, step, values)
        branches = parts
    answers: list[tuple[Secondary, Answer]] = []
    for branch in branches:
        answer = yield Selection(branch)
        answers.append((branch, answer))
    return [branch for branch, answer in answers if isinstance(answer, Several)]


@dataclass(frozen=True, slots=True)
class _Step:
    """One part of the address, by which branches are divided.

    Attributes:
        place: of a digit, or the name of another part.
        usual: the values to try.
        unusual: the values to try where these show too few meters.
        enough: the number of branches from which on it pays to ask the whole line.
    """

    place: int | str
    usual: tuple[str | int, ...]
    unusual: tuple[str | int, ...] = ()
    enough: int = _ENOUGH_OCTETS

    def is_fixed(self, pattern: Secondary) -> bool:
        """Return whether a pattern has this part already."""
        if isinstance(self.place, int):
            return pattern.id[self.place] != "f"
        return getattr(pattern, self.place) not in (None, "")

    def part(self, pattern: Secondary, value: str | int) -> Secondary:
        """Return a pattern with this part."""
        if isinstance(self.place, int):
            return replace(pattern, id=f"{pattern.id[: self.place]}{value}{pattern.id[self.place + 1 :]}")
        match self.place, value:
            case "medium", int(medium):
                return replace(pattern, medium=medium)
            case "version", int(version):
                return replace(pattern, version=version)
        return replace(pattern, manufacturer=str(value))


_DIGITS: Final = tuple("0527381649")  # neighbours far apart: consecutive numbers lack one of the first three
_STEPS: Final = (
    *(_Step(place, _DIGITS, tuple("abcde"), _ENOUGH_DIGITS) for place in reversed(range(8))),
    _Step("medium", tuple(range(_DEFINED_MEDIA)), tuple(range(_DEFINED_MEDIA, ANY_OCTET))),
    _Step("version", tuple(range(ANY_OCTET))),
    _Step("manufacturer", MAKERS),
)


def _census(step: _Step, pattern: Secondary) -> Generator[Selection, Answer, tuple[str | int, ...]]:
    """Return which values a part may have on the whole line.

    An empty digit is asked twice, as much hangs on it. If the first ones are all there, so will most be.
    """
    present: list[str | int] = []
    for number, value in enumerate(step.usual):
        if number == len(present) == _FIRST:
            return step.usual
        selection = Selection(step.part(pattern, value), is_census=True)
        is_there = not isinstance((yield selection), Nobody)
        if not is_there and isinstance(step.place, int):
            is_there = not isinstance((yield selection), Nobody)
        if is_there:
            present.append(value)
    return tuple(present)


def _divide(branch: Secondary, step: _Step, values: Sequence[str | int]) -> Branches:
    """Return the parts of a branch that several meters answered."""
    parts: list[Secondary] = []
    answered: set[str | int] = set()

    def ask(value: str | int) -> Generator[Selection, Answer, None]:
        part = step.part(branch, value)
        answer = yield Selection(part)
        if not isinstance(answer, Nobody):
            answered.add(value)
        if isinstance(answer, Several):
            parts.append(part)

    for value in values:
        yield from ask(value)
    if len(answered) > 1 or parts or not isinstance((yield Selection(branch)), Several):
        return parts
    for value in (*step.usual, *step.unusual):
        if value not in answered:
            yield from ask(value)
    return parts
