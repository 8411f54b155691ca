"""The holding registers of a SunSpec device, for tests and the demo: a chain of models, most of them zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from protocols.modbus.registers import Register
from protocols.modbus.sunspec.definitions import Definition, Group, definition
from protocols.modbus.sunspec.points import HEADER_WORDS, AddressRegister, Place, registers_of
from protocols.modbus.sunspec.walk import BASES, COMMON, MARK

_REPETITIONS: Final = 2  # of each group that repeats
_END: Final = (0xFFFF, 0)
_IDENTITY: Final = {"Mn": "Serial Bridge", "Md": "Simulated", "SN": "1"}


def chain_of(models: Iterable[int], base: int = BASES[0]) -> tuple[dict[int, int], list[Register]]:
    """Return the words of a chain of models, and the registers whose values are still to be set.

    Args:
        models: their numbers, without the common model, which comes first. Those not defined are left out.
        base: the address of "SunS".
    """
    words = dict(zip(range(base, base + HEADER_WORDS), _words(MARK), strict=True))
    registers: list[Register] = []
    at = base + HEADER_WORDS
    for model in filter(None, map(definition, (COMMON, *models))):
        content, counts = _content(model)
        place = Place(model.number, at, len(content) // 2)
        words |= dict(enumerate((model.number, place.length, *_words(content)), at))
        fixed_keys = {f"{model.group.name}_{name}" for name in (*counts, *_IDENTITY)}
        registers += [
            register
            for register in registers_of(model, place, content)
            if register.name not in fixed_keys and not isinstance(register, AddressRegister)
        ]
        at = place.end
    return words | dict(enumerate(_END, at)), registers


def _content(model: Definition) -> tuple[bytes, set[str]]:
    """Return the content of a model, in which only counts are set, and the names of those points."""
    counts = set(_counts(model.group))
    content = bytearray()
    for point in model.group.points[HEADER_WORDS:]:
        octets = _IDENTITY.get(point.name, "").encode() if model.number == COMMON else b""
        if point.name in counts:
            octets = _REPETITIONS.to_bytes(2, "big")
        content += octets.ljust(2 * point.words, b"\0")
    return bytes(content) + bytes(2 * sum(map(_size, model.group.groups))), counts


def _counts(group: Group) -> Iterator[str]:
    for inner in group.groups:
        if isinstance(inner.count, str):
            yield inner.count
        yield from _counts(inner)


def _size(group: Group) -> int:
    """Return the registers of a group with its repetitions."""
    times = 1 if group.count is None else group.count if isinstance(group.count, int) else _REPETITIONS
    once = sum(point.words for point in group.points) + sum(map(_size, group.groups))
    return (times or _REPETITIONS) * once


def _words(octets: bytes) -> list[int]:
    return [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)]
