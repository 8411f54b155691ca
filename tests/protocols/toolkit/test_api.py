"""The interface for protocols of other packages: every name with its signature stands in `api.txt`.

A difference there is a difference for the authors of other packages: it belongs in CHANGELOG.md. To write the
file again: `python -m tests.protocols.toolkit.test_api`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Protocol

from protocols import toolkit

PINNED = Path(__file__).with_name("api.txt")
EXAMPLE = Path(__file__).parents[2] / "example_protocol/tfmini_plus.py"


def described() -> str:
    """Return every public name with its signature, those of a class and a module below it."""
    return "\n".join(line for name in sorted(toolkit.__all__) for line in _lines(name, toolkit)) + "\n"


def _lines(name: str, owner: object) -> Iterator[str]:
    value = getattr(owner, name)
    if isinstance(value, ModuleType):
        yield f"{name}: module"
        public = [each for each in vars(value).values() if inspect.isfunction(inspect.unwrap(each))]
        own = [each for each in public if each.__module__ == value.__name__ and each.__name__[0] != "_"]
        yield from sorted(f"    {each.__name__}{_signature(each)}" for each in own)
    elif inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases})" if bases else f"class {name}"
        if issubclass(value, Enum):
            yield from (f"    {member.name} = {member.value!r}" for member in value)
            return
        if is_dataclass(value):
            yield from map(_field, fields(value))
        for each in getattr(value, "_fields", ()):  # of a NamedTuple
            is_needed = each not in value._field_defaults
            yield f"    {each}: {value.__annotations__[each].__forward_arg__}{'' if is_needed else ' = …'}"
        yield from _members(value)
    elif inspect.isfunction(value):
        yield f"{name}{_signature(value)}"
    else:
        yield f"{name}: {'mapping' if isinstance(value, dict) else 'type'}"


def _members(owner: type) -> Iterator[str]:
    constructor = owner.__dict__.get("__init__")
    if inspect.isfunction(constructor) and not is_dataclass(owner) and not issubclass(owner, Protocol):
        yield f"    __init__{_signature(constructor)}"
    for name, member in sorted(vars(owner).items()):
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"    {name} -> {member.fget.__annotations__['return']}"
        elif isinstance(member, classmethod | staticmethod) or inspect.isfunction(member):
            yield f"    {name}{_signature(getattr(owner, name))}"


def _field(field: Field[object]) -> str:
    is_needed = field.default is MISSING and field.default_factory is MISSING
    return f"    {field.name}: {field.type}{'' if is_needed else ' = …'}"


class _Unquoted(str):
    """An annotation, shown as the source has it."""

    __slots__ = ()
    __repr__ = str.__str__


def _signature(function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_Unquoted(parameter.annotation))
        if isinstance(parameter.annotation, str)
        else parameter
        for parameter in signature.parameters.values()
    ]
    returned = signature.return_annotation
    if isinstance(returned, str):
        returned = _Unquoted(returned)
    return str(signature.replace(parameters=parameters, return_annotation=returned))


def test_names_and_signatures_are_those_that_were_promised() -> None:
    assert described() == PINNED.read_text("utf-8")


def test_every_name_is_there_for_types_and_at_run_time() -> None:
    """The imports that a type checker sees, those at run time and `__all__` are the same."""
    source = ast.parse(Path(toolkit.__file__ or "").read_text("utf-8"))
    (checked,) = (node for node in source.body if isinstance(node, ast.If))
    for node in checked.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.name in toolkit.__all__
            module = importlib.import_module(node.module or "")
            assert getattr(toolkit, alias.name) is getattr(module, alias.name)
    typed = {alias.name for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == set(toolkit.__all__)
    assert list(toolkit.__all__) == sorted(toolkit.__all__)


def test_the_promise_says_until_when_it_holds() -> None:
    assert "Stability: from 1.0 until 2.0" in (toolkit.__doc__ or "")


def test_an_import_of_one_name_imports_no_decoder() -> None:
    code = "import sys; from protocols.toolkit import LineSettings; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert not {"construct", "fastcrc", "protocols.toolkit.layout"} & set(loaded)


def test_the_example_package_needs_one_import() -> None:
    imports = [
        node.module
        for node in ast.walk(ast.parse(EXAMPLE.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("protocols")
    ]
    assert imports == ["protocols.toolkit"]


if __name__ == "__main__":
    PINNED.write_text(described(), "utf-8")
