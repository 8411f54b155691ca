"""The `[fingerprint]` of a model: what tells one device from all others, known before it is read.

    [fingerprint]
    identity   = "Schneider Electric.*iEM3155"                              what 0x2B/0x0E or 0x11 say
    meter_code = { holding = 64514, is = 0x0070 }                           a constant, or a list of them
    type_text  = { holding = 35168, type = "string:8", matches = "B2[134].*" }   the whole text
    baud_code  = { holding = 28, type = "float32", within = [0, 4] }        a range: weak, it only excludes

A register is written as in `[registers]`, with one of `is`, `matches`, `within` beside it. What is matched
may have an example beside it, which a simulated device says: `identity = { matches = "Maker.*My meter",
example = ["Maker", "My meter 3", "V1.0"] }`.

All of them must hold: a trait that does not hold, or is refused, excludes the model. So a trait belongs here
only if it holds for every device of the model, whatever its settings. A model is claimed only for what few
devices have: the identity, a text of three characters or more, two constants above 255; for one such, which
may be what another device measures, if the values of the map are likely too. Ranges and small numbers never
claim; a small constant beside rare ones proves nothing where it is the one that is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocols.modbus.register_keys import parse_registers
from protocols.modbus.registers import Register
from protocols.toolkit.errors import Problem
from protocols.toolkit.keys import is_number, shown
from protocols.toolkit.polling import Value

IDENTITY: Final = "identity"
_MATCHES, _EXAMPLE = "matches", "example"
_TESTS: Final = ("is", "matches", "within")
_SMALL: Final = 255  # a number up to here stands in many registers of other devices
_LETTERS: Final = 3
_RANGE_ENDS: Final = 2
_OF_TEXT: Final = 2


@dataclass(frozen=True, slots=True)
class Trait:
    """One register whose content is known before.

    Attributes:
        register: where it stands and how it is read.
        constants: the values that it may have; () if it is tested otherwise.
        pattern: what its whole text matches; None if it is tested otherwise.
        within: the least and the greatest value; None if it is tested otherwise.
        example: a text that its pattern matches; "" if none is given.
    """

    register: Register
    constants: tuple[Value, ...] = ()
    pattern: re.Pattern[str] | None = None
    within: tuple[float, float] | None = None
    example: str = ""

    def holds(self, value: Value) -> bool:
        """Return whether a value of the register is one that the model has."""
        if self.pattern is not None:
            return isinstance(value, str) and self.pattern.fullmatch(value) is not None
        if self.within is not None:
            low, high = self.within
            return not isinstance(value, str) and low <= value <= high
        return value in self.constants

    def weight_of(self, value: Value) -> int:
        """Return how much a value that holds proves: 2 a text, 1 a rare number, 0 what many devices have."""
        if self.pattern is not None:
            return self._weight_of_pattern
        if not self.constants or not _is_rare(value):
            return 0
        return _OF_TEXT if isinstance(value, str) else 1

    @property
    def weight(self) -> int:
        """Return how much it proves at most: the pattern whatever it matches, the constants by the rarest."""
        return max(map(self.weight_of, self.constants), default=self._weight_of_pattern)

    @property
    def _weight_of_pattern(self) -> int:
        is_long = self.pattern is not None and _letters(self.pattern.pattern) >= _LETTERS
        return _OF_TEXT if is_long else 0


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells a model from all others.

    Attributes:
        identity: what is found in what the device says of itself: maker, type and version, with spaces
            between; None: the model does not say.
        traits: the registers.
        example: what such a device says: maker, type and version; () if no example is given.
    """

    identity: re.Pattern[str] | None = None
    traits: tuple[Trait, ...] = ()
    example: tuple[str, ...] = ()

    @property
    def strength(self) -> int:
        """Return how much it proves at most: from 2 on no other device has it, 1 may be what one measures."""
        return sum(trait.weight for trait in self.traits) + self.weight_of_identity

    @property
    def weight_of_identity(self) -> int:
        """Return how much it proves that the device says what it is."""
        return _OF_TEXT * (self.identity is not None)

    def __bool__(self) -> bool:
        return self.identity is not None or bool(self.traits)


def parse_fingerprint(table: object, problems: list[Problem]) -> Fingerprint:
    """Return the fingerprint in a table of a model file; every mistake is added to `problems`."""
    at = ("fingerprint",)
    if not isinstance(table, Mapping):
        problems.append((at, "is not a table, write for example { code = { holding = 0, is = 1234 } }"))
        return Fingerprint()
    content, example = table.get(IDENTITY), []
    if isinstance(content, Mapping) and content.keys() == {_MATCHES, _EXAMPLE}:
        content, example = content[_MATCHES], content[_EXAMPLE]
    identity = _pattern(content, (*at, IDENTITY), problems) if IDENTITY in table else None
    if not (isinstance(example, list) and all(isinstance(part, str) for part in example)):
        problems.append(((*at, IDENTITY, _EXAMPLE), 'is no list of texts: ["maker", "type", "version"]'))
        example = []
    traits = [_trait(name, entry, problems) for name, entry in table.items() if name != IDENTITY]
    return Fingerprint(identity, tuple(trait for trait in traits if trait is not None), tuple(example))


def _trait(name: str, entry: object, problems: list[Problem]) -> Trait | None:
    at = ("fingerprint", name)
    tests = [key for key in _TESTS if isinstance(entry, Mapping) and key in entry]
    if not isinstance(entry, Mapping) or len(tests) != 1:
        problems.append(
            (at, f"needs a register and one of {', '.join(_TESTS)}: {{ holding = 0, is = 1234 }}")
        )
        return None
    (test,) = tests
    example = entry.get(_EXAMPLE, "") if test == _MATCHES else ""
    others = (test, _EXAMPLE) if test == _MATCHES else (test,)
    register_keys = {key: value for key, value in entry.items() if key not in others}
    registers = parse_registers({name: register_keys}, at[:1], problems)
    content = entry[test]
    if not registers:
        return None
    match test:
        case "is":
            return Trait(registers[0], constants=_constants(content, (*at, test), problems))
        case "matches":
            pattern = _pattern(content, (*at, test), problems)
            return Trait(registers[0], pattern=pattern, example=str(example))
    return Trait(registers[0], within=_range(content, (*at, test), problems))


def _constants(content: Any, at: tuple[str, ...], problems: list[Problem]) -> tuple[Value, ...]:
    constants: Sequence[Any] = content if isinstance(content, list) else [content]
    if constants and all(is_number(constant) or isinstance(constant, str | bool) for constant in constants):
        return tuple(constants)
    problems.append((at, f"{shown(content)} is neither a number, a text nor a list of them"))
    return ()


def _pattern(content: Any, at: tuple[str, ...], problems: list[Problem]) -> re.Pattern[str] | None:
    try:
        if isinstance(content, str) and content:
            return re.compile(content)
        problems.append((at, f'{shown(content)} is no pattern, write for example "B2[134].*"'))
    except re.error as error:
        problems.append((at, f"{shown(content)} is no pattern: {error}"))
    return None


def _range(content: Any, at: tuple[str, ...], problems: list[Problem]) -> tuple[float, float] | None:
    if isinstance(content, list) and len(content) == _RANGE_ENDS and all(map(is_number, content)):
        low, high = content
        if low <= high:
            return float(low), float(high)
    problems.append((at, f"{shown(content)} is no range, write the least and the greatest value: [0, 4]"))
    return None


def _is_rare(constant: Value) -> bool:
    if isinstance(constant, str):
        return _letters(constant) >= _LETTERS
    return not isinstance(constant, bool) and (abs(constant) > _SMALL or constant != int(constant))


def _letters(text: str) -> int:
    """Return how many letters and digits of a pattern stand for themselves."""
    literal = re.sub(r"\\.|\[[^]]*\]|\{[^}]*\}", "", text)
    return sum(character.isalnum() for character in literal)
