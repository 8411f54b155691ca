"""Every vector and every register map names where it is from, and that may be used here.

The sources stand in the table of tests/vectors/README.md, each with its licence. A vector is octets that were
taken over; a register map is facts alone, which a licence does not keep.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from protocols.modbus import models
from tests.protocols.vector_file import FOLDER, VectorFile

MODELS = sorted(Path(models.__file__).parent.glob("*.toml"))
ROW = re.compile(r"\| (?P<name>[^|]+?) \| (?P<licence>[^|]+?) \|")
USABLE = re.compile(r"(Apache-2\.0|MIT|BSD-[23]-Clause|MPL-2\.0|standard|maker's document|report)(, .*)?")
FACTS = re.compile(r"(GPL-3\.0), facts alone")
WITHIN = ("frames of this file", "register map: ")
VAGUE = re.compile(
    r"\b(public|some|several|general knowledge|no licence|not stated|unknown)\b", re.IGNORECASE
)


def licences() -> dict[str, str]:
    """Return the table of sources."""
    table = (FOLDER / "README.md").read_text("utf-8").partition("\n## Sources\n")[2]
    rows = [match for line in table.splitlines() if (match := ROW.fullmatch(line))]
    return {match["name"]: match["licence"] for match in rows[1:] if not match["name"].startswith("-")}


def licence_of(source: str) -> str:
    """Return the licence of the one source in the table that this begins with; "" if there is none."""
    bare = source.removeprefix("register map: ").removeprefix("also ")
    names = [name for name in licences() if bare.startswith(name)]
    return licences()[max(names, key=len)] if names else ""


def test_every_source_in_the_table_may_be_used_and_is() -> None:
    used = "\n".join(path.read_text("utf-8") for path in (*FOLDER.glob("*.json"), *MODELS))
    assert len(licences()) > 30
    for name, licence in licences().items():
        assert USABLE.fullmatch(licence) or FACTS.fullmatch(licence), name
        assert name in used.replace('\\"', '"'), name


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_vector_names_a_source_that_may_be_used(path: Path) -> None:
    vectors = VectorFile.read(path).vectors
    wrong = {
        source
        for vector in vectors
        for source in vector.get("sources") or vector["source"].split(" ; ")
        if source != "frames of this file" and not USABLE.fullmatch(licence_of(source))
    }
    assert wrong == set()
    assert not VAGUE.search(json.dumps([vector.get("source", "") for vector in vectors]))


@pytest.mark.parametrize("name", models.names())
def test_a_register_map_names_its_sources(name: str) -> None:
    """Frames that were taken over are of a maker's document, or of a source whose licence allows it."""
    model = models.load(name)
    assert model.sources
    assert not [source.title for source in model.sources if VAGUE.search(source.title)]
    makers = {source.title.partition(",")[0] for source in model.sources if source.kind == "maker"}
    for vector in model.vectors:
        is_of_maker = vector.source.startswith(tuple(makers))
        assert vector.synthesised or is_of_maker or USABLE.fullmatch(licence_of(vector.source)), vector.source


@pytest.mark.parametrize(
    "source",
    [
        "a public serial log (no licence stated; octets only)",
        "a public reader in another language",
        "somebody/some-repository tests",
        "esphome/esphome esphome/components/pzemac/pzemac.cpp",
    ],
)
def test_a_vague_or_an_unusable_source_is_noticed(source: str) -> None:
    assert not USABLE.fullmatch(licence_of(source))
