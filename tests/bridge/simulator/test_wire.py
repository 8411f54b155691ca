"""The model of a wire with devices, on a clock that the test moves."""

from __future__ import annotations

import pytest

from bridge.simulator.field.device_faults import Part, Stall
from bridge.simulator.field.wire import Wire
from protocols.modbus.rtu import SimulatedUnit, adu
from protocols.toolkit.polling import LineSettings

LINE = LineSettings(9600)
OCTET_S = LINE.duration_s(1)
TURN_AROUND_S = 0.005


def asking(unit: int, start: int = 0, quantity: int = 1) -> bytes:
    return adu(unit, bytes((3,)) + start.to_bytes(2, "big") + quantity.to_bytes(2, "big"))


def telling(unit: int, *registers: int) -> bytes:
    data = b"".join(register.to_bytes(2, "big") for register in registers)
    return adu(unit, bytes((3, len(data))) + data)


def refusing(unit: int, code: int) -> bytes:
    return adu(unit, bytes((0x83, code)))


REQUEST_S = LINE.duration_s(len(asking(1)))
REPLY_S = LINE.duration_s(len(telling(1, 0)))


@pytest.fixture
def wire() -> Wire:
    units = {unit: SimulatedUnit(unit, holding=dict.fromkeys(range(200), unit)) for unit in (1, 2)}
    return Wire(units, LINE, turn_around_s=TURN_AROUND_S)


def heard_until(wire: Wire, now: float) -> list[tuple[float, bytes]]:
    """What the host hears until then, each with its time; what comes within a frame is put together."""
    heard: list[tuple[float, bytes]] = []
    ends_at = -1.0
    while wire.due_at <= now:
        at = wire.due_at
        data = wire.advance(at)
        if not data:
            continue
        if heard and at - ends_at <= 9 * OCTET_S:
            heard[-1] = (heard[-1][0], heard[-1][1] + data)
        else:
            heard.append((at, data))
        ends_at = at
    wire.advance(now)
    return heard


def test_request_turn_around_and_reply_take_their_time(wire: Wire) -> None:
    wire.write(asking(1), 10.0)
    assert wire.advance(10 + REQUEST_S + TURN_AROUND_S + REPLY_S - 1e-6) == b""
    assert wire.advance(10 + REQUEST_S + TURN_AROUND_S + REPLY_S + 1e-6) == telling(1, 1)
    assert [served.unit for served in wire.served] == [1]


def test_who_talks_into_a_reply_spoils_both(wire: Wire) -> None:
    wire.write(asking(1, quantity=20), 10.0)
    wire.write(asking(2), 10 + REQUEST_S + TURN_AROUND_S + 4 * OCTET_S)
    ((_, data),) = heard_until(wire, 20.0)
    reply = telling(1, *[1] * 20)
    assert len(data) == len(reply)
    assert data != reply
    assert wire.requests == {1: 1}, "the other unit understood nothing"
    assert wire.served == []
    assert wire.collisions == 1


def test_a_request_before_the_line_was_quiet_is_counted(wire: Wire) -> None:
    end_s = REQUEST_S + TURN_AROUND_S + REPLY_S
    for at, early in ((10.0, 0), (10 + end_s + LINE.frame_gap_s - 1e-4, 1), (12.0, 1)):
        heard_until(wire, at)
        wire.write(asking(1), at)
        assert wire.early == early
    heard_until(wire, 13.0)
    assert len(wire.served) == 3


def test_two_devices_with_one_address_spoil_each_other(wire: Wire) -> None:
    wire.faults[1].twin_s = 0.001
    wire.write(asking(1), 10.0)
    assert telling(1, 1) not in b"".join(data for _, data in heard_until(wire, 20.0))
    assert wire.served == []
    assert wire.collisions == 2


@pytest.mark.parametrize(("depth", "answered"), [(1, 1), (2, 2), (4, 3)])
def test_a_stalled_device_answers_what_it_kept_one_after_the_other(
    wire: Wire, depth: int, answered: int
) -> None:
    wire.faults[1].stall = Stall(1.0, 3.0, 3.0, depth)
    for number in range(3):
        wire.write(asking(1, number), 10.0 + number / 2)
    heard = heard_until(wire, 20.0)
    resumed_at = 10 + REQUEST_S + 3
    assert b"".join(data for _, data in heard) == answered * telling(1, 1)
    assert heard[0][0] >= resumed_at
    assert len(wire.served) == answered
    assert wire.collisions == 0


def test_a_stalled_device_leaves_the_line_to_the_others(wire: Wire) -> None:
    wire.faults[1].stall = Stall(1.0, 3.0, 3.0)
    wire.write(asking(1), 10.0)
    wire.write(asking(2), 10.5)
    assert [data for _, data in heard_until(wire, 20.0)] == [telling(2, 2), telling(1, 1)]


def test_a_stalled_converter_keeps_the_requests_of_all(wire: Wire) -> None:
    wire.line_faults.converter = Stall(1.0, 3.0, 3.0, depth=2)
    for number, unit in enumerate((1, 2, 1)):
        wire.write(asking(unit), 10.0 + number / 2)
    assert heard_until(wire, 13.0) == []
    assert [served.unit for served in wire.served] == []
    assert b"".join(data for _, data in heard_until(wire, 20.0)) == telling(1, 1) + telling(2, 2)


def test_a_device_asleep_answers_the_second_request_and_falls_asleep_again(wire: Wire) -> None:
    wire.faults[1].wakes_after = 2
    answered = []
    for at in (10.0, 10.5, 11.0, 20.0, 20.5):
        wire.write(asking(1), at)
        answered.append(bool(heard_until(wire, at + 0.4)))
    assert answered == [False, True, True, False, True]


def test_after_a_power_cut_a_device_is_deaf_then_busy_then_there(wire: Wire) -> None:
    wire.power_cut(1, 15.0, deaf_s=2.0, refusing_s=3.0)
    replies = []
    for at in (10.0, 16.0, 18.0, 21.0):
        wire.write(asking(1), at)
        replies.append(b"".join(data for _, data in heard_until(wire, at + 0.9)))
    assert replies == [b"", b"", refusing(1, 6), telling(1, 1)]


def test_some_requests_are_refused_with_one_of_the_codes(wire: Wire) -> None:
    wire.faults[1].refuse, wire.faults[1].refuse_codes = 0.05, (1, 2, 3, 4, 5, 6, 0x0A, 0x0B)
    codes = []
    for number in range(2000):
        wire.write(asking(1), 10.0 + number)
        ((_, data),) = heard_until(wire, 10.9 + number)
        codes += [data[2]] if data[1] == 0x83 else []
    assert 60 <= len(codes) <= 140
    assert set(codes) == {1, 2, 3, 4, 5, 6, 0x0A, 0x0B}


@pytest.mark.parametrize(
    ("part", "silent", "answered"),
    [
        (Part(above=10), asking(1, 0, 11), asking(1, 0, 10)),
        (Part(addresses=range(5, 8)), asking(1, 0, 6), asking(1, 8, 6)),
        (Part(functions=frozenset({3})), asking(1), None),
    ],
    ids=["long reads", "a hole", "a function"],
)
def test_a_device_is_silent_on_a_part(wire: Wire, part: Part, silent: bytes, answered: bytes | None) -> None:
    wire.faults[1].silent_on = part
    wire.write(silent, 10.0)
    assert heard_until(wire, 11.0) == []
    if answered is not None:
        wire.write(answered, 12.0)
        assert heard_until(wire, 13.0) != []
    wire.faults[1].silent_on, wire.faults[1].refuse_on, wire.faults[1].refuse_codes = None, part, (4,)
    wire.write(silent, 14.0)
    assert [data for _, data in heard_until(wire, 15.0)] == [refusing(1, 4)]


def test_noise_falls_on_the_line_and_spoils_what_it_meets(wire: Wire) -> None:
    wire.line_faults.noise = 1.0
    for number in range(200):
        wire.write(asking(1, quantity=60), 10.0 + number)
        heard_until(wire, 10.9 + number)
    assert 20 < wire.collisions < 400
    assert 20 < len(wire.served) < 200


def test_a_collision_never_leaves_a_good_frame(wire: Wire) -> None:
    good = 0
    for number in range(3000):
        at = 10.0 + number
        wire.write(asking(1), at)
        wire.write(asking(2), at + REQUEST_S + TURN_AROUND_S + number % 7 * OCTET_S)
        heard = b"".join(data for _, data in heard_until(wire, at + 0.9))
        good += heard == telling(1, 1) or adu(heard[0], heard[1:-2]) == heard
    assert good == 0


def test_what_is_under_way_is_gone_once_the_adapter_is_pulled(wire: Wire) -> None:
    wire.faults[1].stall = Stall(1.0, 3.0, 3.0)
    wire.write(asking(1), 10.0)
    wire.advance(10.5)
    wire.clear()
    assert heard_until(wire, 20.0) == []
    wire.faults[1].stall = Stall()
    wire.write(asking(1), 21.0)
    assert [data for _, data in heard_until(wire, 22.0)] == [telling(1, 1)]
