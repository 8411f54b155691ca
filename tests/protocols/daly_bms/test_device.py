"""Daly BMS: commands polled, blocks of frames, offsets, silence."""

from __future__ import annotations

import random

import pytest

from protocols.daly_bms import PROTOCOL, commands
from protocols.daly_bms.commands import describe
from protocols.daly_bms.device import KEYS, VALUES, Bms, SimulatedBms
from protocols.daly_bms.frame import BMS, LENGTH, BlockFramer, StreamFramer, build, frames_of
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Direction, Frame, Noise
from protocols.toolkit.polling import Dialogue, PollResult, Request
from tests.protocols.vectors import vectors

LINE = PROTOCOL.line
assert LINE is not None
(BLOCK,) = (
    bytes.fromhex(vector["hex"]) for vector in vectors("daly-bms") if "cell voltage block" in vector["note"]
)
# A 16-cell pack, as the vectors have it; the block has 16 frames, of which six hold cells.
REPLIES = {
    0x90: ["0214000075450378"],
    0x91: ["0d000f0cfe010378"],
    0x92: ["37013701fe010378"],
    0x93: ["020101780003cb40"],
    0x94: ["1001000000000340"],
    0x95: [frame[4:12].hex() for frame in frames_of(BLOCK)],
    0x96: ["0137000000000000"],
}
PACK = {
    "voltage": 53.2,
    "current": 2.1,
    "state_of_charge": 88.8,
    "max_cell_voltage": 3.328,
    "min_cell_voltage": 3.326,
    "max_temperature": 15,
    "min_temperature": 15,
    "operation": "discharging",
    "charge_enabled": True,
    "discharge_enabled": True,
    "remaining_capacity": 248.64,
    "charger_connected": False,
    "load_connected": False,
    "cycles": 3,
    "temperature_1": 15,
}
MILLIVOLTS = [3325, 3326, 3326, *[3326] * 6, 3326, 3324, 3326, 3326, 3327, 3326, 3324]
CELLS = {f"cell_voltage_{number}": value / 1000 for number, value in enumerate(MILLIVOLTS, start=1)}


def simulated(**others: list[str]) -> SimulatedBms:
    replies = REPLIES | {int(command[1:], 16): data for command, data in others.items()}
    return SimulatedBms(
        {command: [bytes.fromhex(each) for each in data] for command, data in replies.items()}
    )


def bms(*names: str) -> Bms:
    return Bms([KEYS.parse({"values": list(names)} if names else {})], LINE)


def found(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def reply_to(request: Request, unit: SimulatedBms) -> Frame | None:
    """Return what the framer of a request makes of the reply."""
    events = request.framer().feed(unit.answer(found(request.data)) or b"")
    taken = [event for event in events if isinstance(event, Frame) and request.accepts(event)]
    return taken[0] if taken else None


def answered(poll: Dialogue, unit: SimulatedBms) -> tuple[PollResult, list[str]]:
    asked = []
    request = next(poll)
    while True:
        asked.append(request.summary.removeprefix("bms: command "))
        try:
            request = poll.send(reply_to(request, unit))
        except StopIteration as over:
            return over.value, asked


def test_a_poll_reads_the_whole_pack() -> None:
    result, asked = answered(bms().poll(0.0), simulated())
    assert asked == ["94", "90", "91", "92", "93", "96", "95"]
    assert result == PollResult((PACK | CELLS,))


def test_how_many_cells_there_are_is_asked_once() -> None:
    device = bms("cell_voltages", "voltage")
    assert [request.summary[-2:] for request in device.planned()] == ["94", "90", "95"]
    assert answered(device.poll(0.0), simulated())[1] == ["94", "90", "95"]
    assert [request.reply_length // LENGTH for request in device.planned()] == [1, 6]
    result, asked = answered(device.poll(0.0), simulated())
    assert asked == ["90", "95"]
    assert result.values == (CELLS | {"voltage": 53.2},)


def test_after_a_silence_it_is_asked_again() -> None:
    device = bms("cell_voltages")
    answered(device.poll(0.0), simulated())
    assert answered(device.poll(0.0), SimulatedBms()) == (PollResult(({},), complete=False), ["95"])
    assert answered(device.poll(0.0), simulated())[1] == ["94", "95"]


def test_how_many_cells_there_are_is_asked_again_after_an_hour_and_at_once_if_there_were_none() -> None:
    device = bms("cell_voltages")
    booting = simulated(x94=["0000000000000340"])
    assert answered(device.poll(0.0), booting) == (PollResult(({},)), ["94"])
    assert answered(device.poll(1.0), simulated()) == (PollResult((CELLS,)), ["94", "95"])
    assert answered(device.poll(3600.0), simulated())[1] == ["95"]
    assert answered(device.poll(3601.0), simulated())[1] == ["94", "95"]


def test_silence_ends_a_poll_and_leaves_what_was_read() -> None:
    unit = simulated()
    del unit.replies[0x91]
    result, asked = answered(bms("voltage", "max_cell_voltage", "cycles").poll(0.0), unit)
    assert asked == ["94", "90", "91"]
    assert result == PollResult(({"voltage": 53.2, "cycles": 3},), complete=False)


def test_a_command_that_is_never_answered_costs_no_other_value_and_is_left_out_by_name() -> None:
    device, unit = bms(), simulated()
    del unit.replies[0x90]
    for now in range(10):
        result, asked = answered(device.poll(float(now)), unit)
    assert asked == ["91", "92", "93", "96", "94", "95"] or "90" not in asked
    assert result.left_out == ({"voltage": "no reply", "current": "no reply", "state_of_charge": "no reply"},)
    assert "max_cell_voltage" in result.values[0]
    unit = simulated()
    for now in (40, 41):
        result, _ = answered(device.poll(float(now)), unit)
    assert result == PollResult((PACK | CELLS,))


def test_what_there_is_none_of_is_not_asked_for() -> None:
    result, asked = answered(bms("temperatures").poll(0.0), simulated(x94=["1000000000000340"]))
    assert (result, asked) == (PollResult(({},)), ["94"])


def test_two_sensors_of_the_site_share_the_reading() -> None:
    device = Bms([KEYS.parse({"values": [name]}) for name in ("voltage", "current")], LINE)
    result, asked = answered(device.poll(0.0), simulated())
    assert (result.values, asked) == (({"voltage": 53.2}, {"current": 2.1}), ["90"])


@pytest.mark.parametrize("first", [0, 1])
def test_a_block_is_numbered_from_0_or_1(first: int) -> None:
    frames = [build(BMS, 0x96, bytes((first + number, *range(40, 47)))) for number in range(2)]
    (block,) = BlockFramer(0x96, 2).feed(b"".join(frames))
    assert block == Frame(b"".join(frames), Direction.REPLY)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda frames: [frames[0], frames[2]], "order"),  # one is missing
        (lambda frames: [frames[1], frames[0]], "order"),
        (lambda frames: [frames[0], frames[1][:-1] + bytes((frames[1][-1] ^ 1,))], "checksum"),
    ],
)
def test_a_block_with_a_flaw_is_none(damage: object, reason: str) -> None:
    assert callable(damage)
    events = BlockFramer(0x95, 2).feed(b"".join(damage(frames_of(BLOCK))) + BLOCK[: 2 * LENGTH])
    good = [event for event in events if isinstance(event, Frame)]
    assert good == [Frame(BLOCK[: 2 * LENGTH], Direction.REPLY)]
    assert reason in {event.reason for event in events if isinstance(event, Noise)}


def test_a_block_is_found_however_it_is_cut_up() -> None:
    chance = random.Random(1)
    stream = b"\xa5\x01\x95" + BLOCK[:20] + BLOCK
    whole = BlockFramer(0x95, 16).feed(stream)
    framer = BlockFramer(0x95, 16)
    pieces, at = [], 0
    while at < len(stream):
        size = chance.randint(1, 9)
        pieces += framer.feed(stream[at : at + size])
        assert len(framer.pending) <= 16 * LENGTH
        at += size
    assert [event for event in pieces if isinstance(event, Frame)] == [Frame(BLOCK, Direction.REPLY)]
    assert b"".join(event.data for event in pieces) == b"".join(event.data for event in whole) == stream


def test_only_its_own_reply_is_taken() -> None:
    request = bms("voltage").planned()[0]
    assert request.accepts(found(build(BMS, 0x90)))
    assert not request.accepts(found(build(BMS, 0x91)))
    assert not request.accepts(found(request.data))


def test_charging_is_negative_and_frost_too() -> None:
    fields = describe(found(build(BMS, 0x90, (30000 - 123).to_bytes(2, "big").rjust(6, b"\0") + b"\0\0")))
    assert fields["current"] == -12.3
    assert describe(found(build(BMS, 0x92, bytes((35, 1, 20, 2, 0, 0, 0, 0)))))["min_temperature"] == -20


def test_a_state_the_document_does_not_have_is_no_operation() -> None:
    fields = describe(found(build(BMS, 0x93, bytes((7, 0, 0, 0, 0, 0, 0, 0)))))
    assert fields["state"] == 7
    assert "operation" not in fields


def test_a_simulated_bms_answers_requests_alone() -> None:
    assert simulated().answer(found(build(BMS, 0x90))) is None
    assert simulated().answer(found(build(0x40, 0x50))) is None


def test_the_keys_of_a_bms() -> None:
    every = KEYS.parse({})
    assert list(every.values) == list(VALUES)
    assert every.address == bms().address
    (values,) = answered(bms().poll(0.0), simulated())[0].values
    assert values.keys() <= every.units.keys()
    assert KEYS.parse({"values": ["remaining_capacity"]}).units == {"remaining_capacity": "Ah"}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"values": ["volts"]}, 'values.0: unknown value "volts"; did you mean "voltage"'),
        ({"values": [["voltage"]]}, r'values.0: unknown value \["voltage"\]; did you mean'),
        ({"values": ["current", "voltage", "current"]}, 'values.2: "current" stands here twice, keep one'),
        ({"values": "voltage"}, 'values: "voltage" is not a list of values, write for example'),
        ({"address": 1}, "address: unknown key; use values"),
    ],
)
def test_a_mistake_is_named(keys: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        KEYS.parse(keys)


def test_what_is_not_measured_is_no_number() -> None:
    assert commands.values(0x96, bytes.fromhex("0143ff44ffffffff"))["temperatures"][:3] == [27, None, 28]
    assert commands.values(0x95, bytes.fromhex("010cb5ffff0cb200"))["cell_voltages"] == [3.253, None, 3.25]
    assert commands.values(0x92, bytes.fromhex("ff01430200000000"))["max_temperature"] is None
