"""JK BMS: one request, what its items say, and what ends them."""

from __future__ import annotations

import pytest

from protocols.jk_bms.polled import KEYS, Bms, SimulatedBms, StreamFramer, build, describe
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, PollResult, Values
from tests.protocols.vectors import vectors

LINE = LineSettings(115200)
(REPLY,) = (bytes.fromhex(v["hex"]) for v in vectors("jk-bms") if v["id"] == "jk_bms-0002")
DATA = REPLY[11:-9]
CELLS = (3821, 3834, 3831, 3820, 3832, 3834, 3825, 3832, 3811, 3834, 3825, 3835, 3835, 3826)  # mV
PACK: Values = {
    "voltage": 53.59,
    "current": 2.08,
    "state_of_charge": 15,
    "nominal_capacity": 14,
    "cycled_capacity": 0,
    "cycles": 4,
    "temperature": 28,
    "box_temperature": 30,
    "mosfet_temperature": 29,
    "charge_enabled": True,
    "discharge_enabled": True,
    "balancing": True,
    "warnings": 0,
    **{f"cell_voltage_{number}": millivolts / 1000 for number, millivolts in enumerate(CELLS, start=1)},
}


def heard(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def polled(data: bytes | None, **keys: object) -> PollResult:
    poll = Bms([KEYS.parse(keys)], LINE).poll()
    request = next(poll)
    reply = None if data is None else SimulatedBms(data).answer(heard(request.data))
    with pytest.raises(StopIteration) as over:
        poll.send(None if reply is None else heard(reply))
    result = over.value.value
    assert isinstance(result, PollResult)
    return result


def test_a_poll_reads_the_pack_and_its_cells() -> None:
    assert polled(DATA) == PollResult((PACK,))


def test_a_bms_that_is_silent_has_no_values() -> None:
    assert polled(None) == PollResult(({},), complete=False)


def test_only_what_is_asked_for_is_told() -> None:
    assert polled(DATA, values=["voltage", "software"]).values == (
        {"voltage": 53.59, "software": "H6.X__S6.1.3S"},
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("8482bcc001", {"current": 7.0}),
        ("8402bcc001", {"current": -7.0}),
        ("842650", {"current": 1.92}),
        ("800069", {"mosfet_temperature": -5}),
        ("8314b4f0018530", {"voltage": 53.0}),  # a code that is not known ends what can be read
        ("8314b48500", {"voltage": 53.0, "state_of_charge": 0}),
        ("8314b484", {"voltage": 53.0}),  # an item that is cut
        ("79030114", {}),
    ],
)
def test_the_items_of_a_reply(data: str, told: dict[str, object]) -> None:
    fields = describe(heard(build(1, bytes.fromhex(data))))
    assert {name: fields[name] for name in fields if name in KEYS.units} == told


def test_only_a_reply_is_taken_and_only_a_request_answered() -> None:
    (request,) = Bms([KEYS.parse({})], LINE).planned()
    assert request.accepts(heard(REPLY))
    assert not request.accepts(heard(request.data))
    assert SimulatedBms(DATA).answer(heard(REPLY)) is None
