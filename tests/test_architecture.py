"""What holds the whole together: which way imports point, and what a protocol must bring."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from protocols import CATALOGUE, load
from tests.protocols.vectors import SPOKEN, vectors

ROOT = Path(__file__).parent.parent
every_protocol = pytest.mark.parametrize("name", sorted(CATALOGUE))


def test_imports_point_one_way() -> None:
    checked = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_toolkit_knows_no_protocol() -> None:
    imported = {
        alias.name if isinstance(node, ast.Import) else node.module
        for path in (ROOT / "protocols/toolkit").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    ours = {module for module in imported if module and module.split(".")[0] in ("bridge", "protocols")}
    assert ours
    assert all(module.startswith("protocols.toolkit") for module in ours), ours


def test_everything_imported_comes_with_a_declared_dependency() -> None:
    # What only a tool of the developers brings along is there in these tests, and missing at a site.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    requirements = [*project["dependencies"], *project["optional-dependencies"]["web"]]
    declared = {_normalized(re.split(r"[<>=]", requirement)[0]) for requirement in requirements}
    distributions = packages_distributions()
    undeclared = {
        f"{path.relative_to(ROOT)} imports {package}"
        for folder in ("bridge", "protocols")
        for path in (ROOT / folder).rglob("*.py")
        for package in _packages_imported_by(path)
        if package not in sys.stdlib_module_names | {"bridge", "protocols"}
        and declared.isdisjoint(map(_normalized, distributions.get(package, ())))
    }
    assert undeclared == set()


def _packages_imported_by(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


@every_protocol
def test_a_protocol_names_its_specification(name: str) -> None:
    entry = load(name)
    assert entry.name == name
    assert entry.title
    assert entry.spec


@pytest.mark.parametrize("name", SPOKEN)
def test_a_protocol_has_vectors_with_their_sources(name: str) -> None:
    for vector in vectors(name):
        assert vector["source"]
        assert vector["direction"] in {"request", "response", "stream"}
    assert any(vector["valid"] for vector in vectors(name))
    assert any(not vector["valid"] for vector in vectors(name))


@every_protocol
def test_a_protocol_has_a_row_in_its_page(name: str) -> None:
    page = (ROOT / "docs/protocols.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert any(name in row for row in rows)


@every_protocol
def test_a_protocols_schema_is_one_of_a_sensors_own_keys(name: str) -> None:
    schema = load(name).schema
    assert set(schema["required"]) <= set(schema["properties"])


def test_every_file_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("bridge", "protocols")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert long == {}


RESTRICTED = ("wb-mqtt-serial",)  # its templates may be used with their maker's devices alone


def test_no_fact_is_from_a_source_whose_licence_keeps_it_elsewhere() -> None:
    models = (ROOT / "protocols/modbus/models").glob("*.toml")
    vectors = (ROOT / "tests").rglob("*.json")
    cited = [
        f"{path.relative_to(ROOT)}: {source}"
        for path in (*models, *vectors)
        for source in RESTRICTED
        if source in path.read_text("utf-8")
    ]
    assert cited == []
