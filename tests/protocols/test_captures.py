"""Frames of real devices, with the values that their owners stated: each is read, none is noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols import load
from protocols.toolkit.framing import Frame
from tests.protocols.vectors import hear

CAPTURES: list[dict[str, Any]] = json.loads((Path(__file__).with_name("captures.json")).read_text())


def fields_of(capture: dict[str, Any]) -> dict[str, Any]:
    """Return every field and value that the frames of a capture give, under one roof."""
    entry = load(capture["protocol"])
    describe = entry.describer_for(capture.get("model"))
    fields: dict[str, Any] = {}
    for event in hear(entry, [bytes.fromhex(capture["hex"])]):
        assert isinstance(event, Frame), f"{capture['device']}: {event}"
        described = describe(event)
        fields |= described | described.get("values", {})
        for meter in described.get("meters", ()):
            fields |= meter["values"]
        if "name" in described:
            fields[described["name"]] = described["value"]
    return fields


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture["device"])
def test_a_capture_says_what_its_owner_stated(capture: dict[str, Any]) -> None:
    fields = fields_of(capture)
    assert {name: fields.get(name) for name in capture["expected"]} == capture["expected"]


def test_every_capture_says_where_it_is_from() -> None:
    assert all(capture["source"] for capture in CAPTURES)
