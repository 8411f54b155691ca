"""Regular expressions: only what every supported Python compiles rightly, and no work beyond the linear.

Python 3.11.0 to 3.11.3 miscompile possessive quantifiers and atomic groups (`a++`, `(?>a)`): such a group
runs past what it must not match. A pattern stays linear without them where each octet fits in one way only.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from types import ModuleType

import pytest

import bridge
import protocols
from protocols.sml import transport as sml
from protocols.vedirect import text as vedirect

ROOT = Path(__file__).parent.parent
MISCOMPILED = {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}


def operations(pattern: str | bytes) -> set[str]:
    """Return the names of the operations that `re` makes of a pattern; none if it is no pattern."""
    try:
        with warnings.catch_warnings(action="ignore"):
            parsed = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError, ValueError):
        return set()
    return {str(operation) for operation in _walked(parsed)}


def _walked(parsed: object) -> Iterator[object]:
    if isinstance(parsed, _parser.SubPattern):
        for operation, argument in parsed:
            yield operation
            yield from _walked(argument)
    elif isinstance(parsed, tuple | list):
        for part in parsed:
            yield from _walked(part)


def literals(path: Path) -> Iterator[tuple[str, str | bytes]]:
    """Yield each text and each octet string of a file with its place; docstrings are left out."""
    tree = ast.parse(path.read_text("utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in prose:
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def compiled(package: ModuleType) -> Iterator[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    """Yield the patterns that the modules of a package hold, however they were put together."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern):
                    yield f"{module.name}.{name}", value


@pytest.mark.parametrize("pattern", ["a++", "(?:b|c?+)", "(?>ab)", "x(?!y*+)", b"(a{2,3}+)"])
def test_what_is_miscompiled_is_seen(pattern: str | bytes) -> None:
    assert operations(pattern) & MISCOMPILED


@pytest.mark.parametrize("folder", ["bridge", "protocols", "tests"])
def test_no_literal_is_a_pattern_that_is_miscompiled(folder: str) -> None:
    own = Path(__file__)
    places = [
        place
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != own
        for place, literal in literals(path)
        if operations(literal) & MISCOMPILED
    ]
    assert places == []


@pytest.mark.parametrize("package", [bridge, protocols], ids=lambda package: package.__name__)
def test_no_pattern_put_together_is_one_that_is_miscompiled(package: ModuleType) -> None:
    patterns = list(compiled(package))
    assert patterns
    assert [name for name, pattern in patterns if operations(pattern.pattern) & MISCOMPILED] == []


BLOCK = b"\r\nPID\t0x203"
HEX = b":A4F10FF2E\n"
ESC = b"\x1b"
SEARCHES: dict[str, tuple[Callable[[bytes], object], bytes, bytes, bytes]] = {
    # the search, what precedes, what comes again and again, what follows
    "a block of one long value": (vedirect._BLOCK.match, BLOCK, b"1", b"\0"),
    "a block of fields": (vedirect._BLOCK.match, BLOCK, b"\r\nV\t1", b"\r\nChecksum"),
    "a block of lines of the other protocol": (vedirect._BLOCK.match, BLOCK, HEX, b":"),
    "fields and lines in turn": (vedirect._BLOCK.match, BLOCK, b"\r\nV\t1" + HEX, b"\r\nPID\t"),
    "a field behind many lines": (vedirect._BLOCK.match, BLOCK + b"\r\n", HEX, b"\0"),
    "an end behind many lines": (vedirect._UNFINISHED.match, b"\r\n", HEX, b"\0"),
    "a head behind many lines": (vedirect._HEAD.search, b"\r\n", HEX, b"\0"),
    "line ends": (vedirect._HEAD.search, b"", b"\r\n", b""),
    "a run of escapes": (sml._ESCAPED.search, b"", 8 * ESC, 3 * ESC + b"\0"),
    "a run of escapes without an end": (sml._ESCAPED.search, b"", 8 * ESC, b""),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_four_times_the_octets_take_about_four_times_the_work(name: str) -> None:
    search, before, piece, after = SEARCHES[name]

    def seconds(octets: int) -> float:
        data = before + piece * (octets // len(piece)) + after
        started = time.process_time()
        for _ in range(40):
            search(data)
        return time.process_time() - started

    short, long = (min(seconds(octets) for _ in range(7)) for octets in (1000, 4000))
    assert long < 10 * short, "16 times would be a square"
