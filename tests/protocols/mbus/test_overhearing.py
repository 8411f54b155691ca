"""Readings of M-Bus meters from a line that belongs to a foreign master."""

from __future__ import annotations

import pytest

from protocols.mbus import PROTOCOL, application, link, secondary
from protocols.mbus.link import Message, StreamFramer
from protocols.mbus.overhearing import MeterOverhearer
from protocols.mbus.records import Record
from protocols.mbus.secondary import Secondary
from protocols.mbus.settings import parse_settings
from protocols.mbus.simulation import SimulatedMeter
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Overheard
from tests.protocols.foreign_line import ForeignLine, heard, overheard
from tests.protocols.mbus.test_security import MODE_5, MODE_7, MeterKey

ID = Secondary("06855817", "KAM", 8, 4)


def energy(value: int) -> Record:
    return Record((0x03,), 0x4, value.to_bytes(4, "little"))  # Wh


def volume(value: int) -> Record:
    return Record((0x14,), 0x4, value.to_bytes(4, "little"))  # 0.01 m³


def meter(address: int = 5, *telegrams: list[Record], own: Secondary = ID) -> SimulatedMeter:
    return SimulatedMeter(address, list(telegrams) or [[energy(111)], [volume(2), energy(222)]], own)


WHOLE = {"energy": 111, "volume": 0.02, "energy_2": 222}


def request(bit: int, a: int = 5) -> bytes:
    return link.build(Message(link.REQ_UD2 | bit, a))


def reset(a: int = 5) -> bytes:
    return link.build(Message(link.SND_NKE, a))


def selection(address: Secondary = ID) -> bytes:
    return link.build(Message(link.SND_UD, link.SELECTED, application.SELECT, secondary.build(address)))


FIRST, SECOND = request(link.FCB), request(0)


def overhearer(**keys: object) -> MeterOverhearer:
    return MeterOverhearer([parse_settings(keys or {"address": 5})])


def conversation(simulated: SimulatedMeter, *requests: bytes) -> list[bytes]:
    """Return the requests, each with its reply behind it."""
    frames = []
    for each in requests:
        (frame,) = StreamFramer().feed(each)
        assert isinstance(frame, Frame)
        frames += [each, simulated.answer(frame) or b""]
    return frames


def listen(own: MeterOverhearer, *frames: bytes) -> list[Overheard]:
    return heard(own, StreamFramer(), *((0.1 * at, data) for at, data in enumerate(frames)))


def test_a_reading_is_whole_when_its_last_telegram_is_there() -> None:
    frames = conversation(meter(), reset(), FIRST, SECOND)
    assert listen(overhearer(), *frames[:-1]) == []
    assert listen(overhearer(), *frames) == [Overheard(0, WHOLE)]


@pytest.mark.parametrize("name", ["id", "address"])
def test_a_selected_meter_is_found_by_both_of_its_addresses(name: str) -> None:
    keys = {"id": {"id": "06855817"}, "address": {"address": 5}}
    requests = (selection(), reset(253), selection(), request(link.FCB, 253), request(0, 253))
    assert listen(overhearer(**keys[name]), *conversation(meter(), *requests)) == [Overheard(0, WHOLE)]


def test_a_meter_that_is_called_by_its_primary_address_is_found_by_its_id() -> None:
    own = overhearer(id="06855817")
    assert listen(own, *conversation(meter(), reset(), FIRST, SECOND)) == [Overheard(0, WHOLE)]
    other = overhearer(id="06855818")
    assert listen(other, *conversation(meter(), reset(), FIRST, SECOND)) == []


def test_without_a_reset_a_reading_begins_behind_a_last_telegram() -> None:
    frames = conversation(meter(), FIRST, SECOND, FIRST, SECOND)
    assert listen(overhearer(), *frames) == [Overheard(0, WHOLE)]
    assert listen(overhearer(), *frames[:4]) == []


def test_a_meter_of_one_telegram_is_read_with_a_bit_that_stands() -> None:
    frames = conversation(meter(5, [energy(7)]), *[request(link.FCB)] * 20)
    values = listen(overhearer(), *frames)
    assert {one.values["energy"] for one in values} == {7}
    assert len(values) == 13


def test_values_are_those_of_the_settings_and_the_others_are_listed() -> None:
    own = overhearer(address=5, values={"heat": "energy_2", "power": "power"})
    (one,) = listen(own, *conversation(meter(), reset(), FIRST, SECOND))
    assert one.values == {"heat": 222}
    assert own.unread() == [{"power": "meter 5"}]


@pytest.mark.parametrize(
    ("at", "inserted"),
    [(3, b"\x10\x7b"), (4, b"\x68\x01"), (4, request(0, 9)), (5, b"\xff")],
    ids=["cut request", "noise", "other meter not answering is no harm", "noise before the reply"],
)
def test_what_breaks_ends_the_reading(at: int, inserted: bytes) -> None:
    frames = conversation(meter(), reset(), FIRST, SECOND)
    frames.insert(at, inserted)
    values = [one.values for one in listen(overhearer(), *frames)]
    assert values == ([WHOLE] if inserted == request(0, 9) else [])


def test_a_telegram_without_its_request_is_nothing() -> None:
    frames = conversation(meter(5, [energy(7)]), reset(), FIRST)
    assert listen(overhearer(), *frames[:2], frames[3]) == []
    assert listen(overhearer(), *frames[:2], request(link.FCB, 6), frames[3]) == []


def test_a_telegram_that_is_late_is_not_the_next_one() -> None:
    telegrams = [energy(1)], [energy(2), volume(2)], [volume(3), energy(3)]
    frames = conversation(meter(5, *telegrams), reset(), FIRST, SECOND, FIRST)
    late = [*frames[:4], SECOND, SECOND, frames[5], FIRST, frames[5], SECOND, frames[7]]
    assert listen(overhearer(), *late) == []


def test_an_application_error_ends_the_reading() -> None:
    error = link.build(Message(link.RSP_UD, 5, application.ERROR, b"\x08"))
    frames = conversation(meter(), reset(), FIRST, SECOND)
    assert listen(overhearer(), *frames[:4], SECOND, error, FIRST, frames[5]) == []


@pytest.mark.parametrize(("ci", "data", "key"), [MODE_5, MODE_7], ids=["mode 5", "mode 7"])
def test_encrypted_telegrams_are_read_with_their_key(ci: int, data: str, key: MeterKey) -> None:
    telegram = link.build(Message(link.RSP_UD, 5, ci, bytes.fromhex(data)))
    frames = [reset(), link.ACKNOWLEDGEMENT, FIRST, telegram]
    settings = parse_settings({"id": "12345678"})
    assert listen(MeterOverhearer([settings]), *frames) == []
    assert PROTOCOL.with_keys is not None
    keyed = PROTOCOL.with_keys({settings.address: key})
    assert isinstance(keyed, type(PROTOCOL))
    assert keyed.overhearer is not None
    own = keyed.overhearer([settings])
    assert isinstance(own, MeterOverhearer)
    (one,) = listen(own, *frames)
    assert one.values["volume"] == 28504.27


def right(number: int) -> dict[str, float]:
    """Return what the meter with this number tells: like records, so that a wrong place shows."""
    if number % 2:
        return {"energy": 1000 * number}
    return {
        "energy": 1000 * number,
        "energy_2": 1000 * number + 1,
        "volume": number,
        "volume_2": 0.0,
        "energy_3": 1000 * number + 2,
    }


def simulated(number: int) -> SimulatedMeter:
    own = Secondary(f"{number:08}", "SIM", 1, 4)
    if number % 2:
        return meter(number, [energy(1000 * number)], own=own)
    telegrams = [[energy(1000 * number)], [energy(1000 * number + 1), volume(100 * number)]]
    return meter(number, *telegrams, [volume(0), energy(1000 * number + 2)], own=own)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", ["primary", "secondary", "without reset"])
def test_no_value_is_wrong(way: str, seed: int) -> None:
    meters = [simulated(number) for number in range(1, 5)]

    def answer(frame: Frame) -> bytes | None:
        replies = [reply for each in meters if (reply := each.answer(frame))]
        return replies[0] if replies else None

    dialogues = []
    for number in range(1, 5):
        telegrams = 1 if number % 2 else 3
        a = link.SELECTED if way == "secondary" else number
        bits = [request(0 if at % 2 else link.FCB, a) for at in range(telegrams)]
        selected = [selection(Secondary(f"{number:08}"))] if way == "secondary" else []
        dialogues.append([*selected, reset(a), *selected, *bits])
        if way == "without reset":
            dialogues[-1] = [request(link.FCB * (1 - at % 2), a) for at in range(4 * telegrams)]
    line = ForeignLine(StreamFramer, answer, dialogues, seed, pause_s=2.0)
    keys = [{"id": f"{number:08}"} if seed % 2 else {"address": number} for number in range(1, 5)]
    count = 0
    for one in overheard(MeterOverhearer([parse_settings(each) for each in keys]), line, 1500):
        assert one.values == right(one.sensor + 1)
        count += 1
    assert count > (300 if way == "without reset" else 600)
