"""The sentences about what is heard instead of a reply: one for each cause, and the page that lists them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.causes import Cause, Suspicion, diagnosis, of_refusal
from protocols.modbus import pdu
from protocols.toolkit.errors import DeviceRefusal, Refusal

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
REFUSALS = [cause for cause in Cause if diagnosis(cause, "x").observation == "refuses x"]
SECTION = "## What was heard instead of a reply"


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_has_a_sentence_of_its_own_and_a_next_step(cause: Cause) -> None:
    said = diagnosis(cause, "detail")
    assert said.cause is cause
    assert "{" not in str(said)
    assert said.next_step
    assert not said.observation.endswith((".", ":", " "))
    if cause not in REFUSALS:
        others = [diagnosis(other, "detail").observation for other in Cause if other is not cause]
        assert said.observation not in others


@pytest.mark.parametrize(
    ("code", "cause", "step"),
    [
        (1, Cause.NO_FUNCTION, "input instead of holding"),
        (2, Cause.NO_ADDRESS, "input or holding, and does its manual count from 0 or from 1?"),
        (3, Cause.NO_VALUE, "max_registers"),
        (4, Cause.FAILURE, "its own display"),
        (5, Cause.BUSY, 'gap = "100ms"'),
        (6, Cause.BUSY, 'gap = "100ms"'),
        (8, Cause.FAILURE, "its own display"),
        (10, Cause.UNREACHABLE, "the device behind that"),
        (11, Cause.UNREACHABLE, "the device behind that"),
        (0x20, Cause.REFUSED, "its manual"),
    ],
)
def test_an_exception_has_the_next_step_of_its_code(code: int, cause: Cause, step: str) -> None:
    name, kind = pdu.exception_name(code), pdu.KINDS.get(code, Refusal.OTHER)
    said = of_refusal(DeviceRefusal(name, code=code, request="input registers 7", kind=kind))
    assert said.cause is cause
    assert said.observation == f"refuses input registers 7: {name}"
    assert step in said.next_step
    assert set(pdu.KINDS) == set(pdu.EXCEPTIONS)


@pytest.mark.parametrize(
    ("misses", "cause"),
    [
        ([Cause.SILENT], Cause.SILENT),
        ([Cause.SILENT, Cause.NOISE, Cause.SILENT], Cause.SILENT),
        ([Cause.NOISE, Cause.SILENT, Cause.NOISE], Cause.NOISE),
        ([Cause.SILENT, Cause.NOISE], Cause.NOISE),  # level: the latest
        ([Cause.NOISE] * 20 + [Cause.SILENT] * 5, Cause.SILENT),  # what was long ago is forgotten
    ],
)
def test_the_cause_seen_most_often_of_late_is_said(misses: list[Cause], cause: Cause) -> None:
    suspicion = Suspicion()
    assert suspicion.diagnosis is None
    for miss in misses:
        suspicion.add(miss)
    assert suspicion.diagnosis == diagnosis(cause)
    suspicion.clear()
    assert suspicion.diagnosis is None


def test_the_page_lists_every_sentence_with_its_next_step() -> None:
    section = PAGE.read_text().split(SECTION, 1)[1].split("\n## ", 1)[0]
    listed = re.findall(r"^\| `(.+?)` \| (.+?) \|$", section, re.MULTILINE)
    said = [diagnosis(cause, f"…: {cause.value}" if cause in REFUSALS else "…") for cause in Cause]
    assert listed == [(each.observation, each.next_step) for each in said]
