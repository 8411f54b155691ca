"""The search for a device that is alone on its line."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from protocols.jbd_bms import PROTOCOL
from protocols.jbd_bms.device import SimulatedBms
from protocols.jbd_bms.frame import StreamFramer
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Find, Heard, Probe, Scope
from tests.protocols.jbd_bms.test_device import REGISTERS

LINE = LineSettings(9600)
EMPTY = bytes(23)  # of a battery without a volt


def searched(answers: Sequence[str], unit: SimulatedBms) -> tuple[list[Find], int]:
    """What a search reports where it is answered like this, and at last always; and how often it asks."""
    assert PROTOCOL.scanning is not None
    scanning = PROTOCOL.scanning()
    assert scanning.search is not None
    search, finds, asked = scanning.search(Scope(LINE)), list[Find](), 0
    step = next(search)
    while True:
        heard = Heard()
        if isinstance(step, Find):
            finds.append(step)
        else:
            heard = answer(step, unit, answers[asked] if asked < len(answers) else "reply")
            asked += 1
        try:
            step = search.send(heard)
        except StopIteration:
            return finds, asked


def answer(probe: Probe, unit: SimulatedBms, kind: str) -> Heard:
    (request,) = StreamFramer().feed(probe.request.data)
    assert isinstance(request, Frame)
    reply = unit.answer(request) or b""
    if kind == "silence" or not reply:
        return Heard()
    if kind == "damaged":
        return Heard(octets=reply[:-3])
    (frame,) = probe.request.framer().feed(reply)
    assert isinstance(frame, Frame)
    return Heard(frame, octets=reply)


def test_a_silent_line_costs_two_requests() -> None:
    assert searched(["silence"] * 9, SimulatedBms(REGISTERS)) == ([], 2)


@pytest.mark.parametrize(
    "answers", [[], ["silence"], ["damaged"], ["reply", "damaged"], ["reply", "silence"]]
)
def test_two_replies_are_a_claim(answers: list[str]) -> None:
    (find,), _ = searched(answers, SimulatedBms(REGISTERS))
    assert find.evidence is Evidence.IDENTIFIED
    assert find.identity == {"type": "JBD-SP04S034-L4S-200A-B-U"}
    assert "voltage 15.6" in find.reasons[0]


def test_one_reply_of_many_is_no_claim() -> None:
    (find,), _ = searched(["reply", *["damaged"] * 9], SimulatedBms(REGISTERS))
    assert find.evidence is Evidence.ANSWERS


def test_values_that_cannot_be_are_no_claim() -> None:
    (find,), _ = searched([], SimulatedBms({3: EMPTY}))
    assert find.evidence is Evidence.ANSWERS
    assert "voltage 0" in find.reasons[0]


def test_octets_that_make_no_reply_are_no_find() -> None:
    assert searched(["damaged"] * 9, SimulatedBms(REGISTERS))[0] == []
