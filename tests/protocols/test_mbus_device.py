"""M-Bus: a meter is polled by its primary or secondary address, and what is told about a meter's keys."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from protocols.dialogue import Dialogue, LineSettings, PollResult, Request, Values
from protocols.errors import SettingsError
from protocols.framing import Frame
from protocols.mbus import application, link, secondary
from protocols.mbus.device import MAX_TELEGRAMS, Meter
from protocols.mbus.entry import PROTOCOL
from protocols.mbus.link import ACKNOWLEDGEMENT, Message, StreamFramer
from protocols.mbus.records import MORE_FOLLOW, Record, build
from protocols.mbus.secondary import Secondary
from protocols.mbus.settings import parse_settings
from protocols.mbus.simulation import SimulatedMeter

KAMSTRUP = Secondary("06855817", "KAM", 8, 4)
ENERGY = Record((0x06,), 0xC, bytes.fromhex("91370000"))
VOLUME = Record((0x14,), 0x4, bytes.fromhex("2cdb0000"))
FLOW = Record((0x59,), 0x2, bytes.fromhex("b927"))
TOLD: Values = {"energy": 3_791_000, "volume": 561.08, "flow_temperature": 101.69}
NKE = "reset"
LINE = PROTOCOL.line or LineSettings(2400, 8, "E", 1)
SELECTED_ANEW = ["selection", NKE, "selection"]


def meter(**keys: object) -> Meter:
    return Meter([parse_settings(keys or {"address": 5})], LINE)


def multical(*telegrams: list[Record]) -> SimulatedMeter:
    many = list(telegrams) or [[ENERGY, VOLUME, FLOW]]
    return SimulatedMeter(5, many, secondary=KAMSTRUP)


def heard(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


def polled(device: Meter, *meters: SimulatedMeter, deaf_to: int = -1) -> tuple[PollResult, list[str]]:
    """What a poll brings, and what it asked for; no request of that number is answered."""
    asked: list[str] = []
    poll = device.poll()
    request = next(poll)
    while True:
        asked.append(request.summary.partition(": ")[2])
        replies = [reply for one in meters if (reply := one.answer(heard(request.data))) is not None]
        frame = heard(replies[0]) if replies and len(asked) - 1 != deaf_to else None
        assert len(replies) < 2
        assert frame is None or request.accepts(frame)
        try:
            request = poll.send(frame)
        except StopIteration as over:
            return over.value, asked


def test_a_meter_is_set_to_its_first_telegram_once_and_then_read() -> None:
    device, simulated = meter(), multical()
    assert polled(device, simulated) == (PollResult((TOLD,)), [NKE, "data"])
    assert polled(device, simulated) == (PollResult((TOLD,)), ["data"])
    assert simulated.access_number == 2, "the frame count bit did not change"


def test_a_request_that_is_repeated_has_the_same_frame_count_bit_and_the_next_one_the_other() -> None:
    device, simulated = meter(), multical()
    bits = []
    for _ in range(3):
        poll = device.poll()
        request = next(poll)
        if request.summary.endswith(NKE):
            request = poll.send(heard(ACKNOWLEDGEMENT))
        bits.append(request.data[1] & link.FCB)
        first, again = simulated.answer(heard(request.data)), simulated.answer(heard(request.data))
        assert first == again
        assert first is not None
        with pytest.raises(StopIteration):
            poll.send(heard(first))
    assert bits == [link.FCB, 0, link.FCB]


def test_all_telegrams_of_a_meter_are_read_each_time() -> None:
    device, simulated = meter(), multical([ENERGY], [VOLUME], [FLOW])
    for before in ([NKE], []):
        result, asked = polled(device, simulated)
        assert result == PollResult((TOLD,))
        assert asked == [*before, "data", "telegram 2", "telegram 3"]


def test_a_selected_meter_is_read_by_its_digits_whatever_its_primary_address() -> None:
    device = meter(id="06855817")
    others = [replace(multical(), secondary=replace(KAMSTRUP, id="06855818")) for _ in range(2)]
    simulated = multical([ENERGY], [VOLUME, FLOW])
    for before in (SELECTED_ANEW, ["selection"]):
        result, asked = polled(device, *others, simulated)
        assert result == PollResult((TOLD,))
        assert asked == [*before, "data", "telegram 2"]


def test_two_meters_with_the_same_digits_are_told_apart_by_the_rest() -> None:
    old, new = multical([ENERGY]), multical([FLOW])
    new.secondary = replace(KAMSTRUP, version=9)
    by_version = meter(id="06855817", manufacturer="KAM", version=9, medium=4)
    assert polled(by_version, old, new)[0].values == ({"flow_temperature": 101.69},)
    assert by_version.address == "06855817.KAM.9.4"
    assert polled(meter(id="06855817", version=8), old, new)[0].values == ({"energy": 3_791_000},)
    assert polled(meter(id="06855817", manufacturer="ABB"), old, new)[1] == ["selection"]
    assert polled(meter(id="06855817", medium=7), old, new)[1] == ["selection"]


def test_after_silence_a_meter_begins_with_its_first_telegram_again() -> None:
    device, simulated = meter(), multical([ENERGY], [VOLUME], [FLOW])
    result, asked = polled(device, simulated, deaf_to=2)
    assert result == PollResult(({"energy": 3_791_000},), complete=False)
    assert asked == [NKE, "data", "telegram 2"]
    assert polled(device, simulated) == (PollResult((TOLD,)), [NKE, "data", "telegram 2", "telegram 3"])


def test_after_silence_a_selected_meter_begins_with_its_first_telegram_again() -> None:
    device, simulated = meter(id="06855817"), multical([ENERGY], [VOLUME], [FLOW])
    assert polled(device, simulated, deaf_to=4)[0].values == ({"energy": 3_791_000},)
    result, asked = polled(device, simulated)
    assert (result, asked[:4]) == (PollResult((TOLD,)), [*SELECTED_ANEW, "data"])
    assert polled(device, simulated, deaf_to=1)[0].values == ({},)
    result, asked = polled(device, simulated, deaf_to=1)
    assert (result, asked[:4]) == (PollResult((TOLD,)), [*SELECTED_ANEW, "data"]), (
        "an SND_NKE left unanswered"
    )
    assert polled(device, simulated)[1][:2] == ["selection", "data"]


@pytest.mark.parametrize("keys", [{"address": 5}, {"id": "06855817"}])
def test_a_dead_meter_costs_one_short_request(keys: dict[str, Any]) -> None:
    device = meter(**keys)
    for _ in range(2):
        result, asked = polled(device)
        assert result == PollResult(({},), complete=False)
        assert len(asked) == 1


def test_no_further_telegram_is_asked_for_when_all_is_there_that_is_wanted() -> None:
    device = meter(address=5, values=["energy"])
    simulated = multical([ENERGY], [VOLUME], [FLOW])
    for _ in range(2):
        assert polled(device, simulated) == (PollResult(({"energy": 3_791_000},)), [NKE, "data"])
    by_id = meter(id="06855817", values=["volume"])
    for _ in range(2):
        assert polled(by_id, simulated)[1] == [*SELECTED_ANEW, "data", "telegram 2"]


def test_sensors_of_one_meter_share_its_telegrams_under_names_of_their_own() -> None:
    one = parse_settings({"address": 5, "values": {"heat": "energy", "hot": "flow_temperature"}})
    other = parse_settings({"address": 5, "values": ["volume"]})
    device = Meter([one, other], LINE)
    simulated = multical([ENERGY], [VOLUME, FLOW])
    result, asked = polled(device, simulated)
    assert result.values == ({"heat": 3_791_000, "hot": 101.69}, {"volume": 561.08})
    assert asked == [NKE, "data", "telegram 2"]


def test_what_a_meter_does_not_tell_is_said_with_what_it_tells() -> None:
    result, _ = polled(meter(address=5, values=["energy", "energy_tariff1"]), multical())
    assert result.values == ({"energy": 3_791_000},)
    assert not result.complete
    (refusal,) = result.refusals
    assert str(refusal) == (
        "energy_tariff1: the meter does not tell it; it tells energy, volume, flow_temperature"
    )


def test_a_value_that_is_an_error_display_is_left_out_and_the_poll_is_complete() -> None:
    broken = replace(ENERGY, data=bytes.fromhex("ddb4ebdd"))
    device = meter(address=5, values=["energy", "volume"])
    assert polled(device, multical([broken, VOLUME]))[0] == PollResult(({"volume": 561.08},))


def test_what_the_meter_refuses_is_said() -> None:
    simulated = multical()
    simulated.refuses = 8
    result, asked = polled(meter(), simulated)
    assert (result.values, result.complete) == (({},), False)
    assert [str(refusal) for refusal in result.refusals] == ["data: Application busy"]
    assert asked == [NKE, "data"]
    simulated.refuses = None
    assert polled(meter(id="06855817"), simulated)[0].values == (TOLD,)


def test_what_is_encrypted_is_said() -> None:
    simulated = multical()
    simulated.signature = 0x0510
    result, _ = polled(meter(), simulated)
    assert (result.values, result.complete) == (({},), False)
    assert "encrypted (mode 5)" in str(result.refusals[0])


def test_a_telegram_with_a_fault_gives_what_stands_before_it_and_is_incomplete() -> None:
    simulated = multical([ENERGY, replace(VOLUME, data=b"")])
    result, _ = polled(meter(), simulated)
    assert (result.values, result.complete) == (({"energy": 3_791_000},), False)
    assert str(result.refusals[0]) == "data: octet 8 of 8: the telegram ends within a record"


def test_data_of_another_kind_are_refused() -> None:
    poll = meter().poll()
    next(poll)
    poll.send(heard(ACKNOWLEDGEMENT))
    with pytest.raises(StopIteration) as over:
        poll.send(heard(link.build(Message(link.RSP_UD, 5, 0x71, b"\x00"))))
    assert str(over.value.value.refusals[0]) == "data: data of a kind that is not read here (CI 71)"


def test_a_meter_that_always_has_more_to_tell_is_not_read_for_ever() -> None:
    class Stuck(SimulatedMeter):
        __slots__ = ()

        def answer(self, request: Frame) -> bytes | None:
            """Says DIF 1F each time, in the same telegram or another one each time."""
            reply = SimulatedMeter.answer(self, request)
            if reply is None or reply == ACKNOWLEDGEMENT:
                return reply
            message = link.parse(heard(reply))
            assert message is not None
            return link.build(replace(message, data=message.data + bytes((MORE_FOLLOW,))))

    result, asked = polled(meter(), Stuck(5, [[ENERGY, VOLUME, FLOW]]))
    assert result == PollResult((TOLD,))
    assert len(asked) == 3
    endless = Stuck(5, [[replace(ENERGY, storage=number)] for number in range(2 * MAX_TELEGRAMS)])
    result, asked = polled(meter(), endless)
    assert (len(asked), result.complete) == (1 + MAX_TELEGRAMS, False)


def requests_of(device: Meter, simulated: SimulatedMeter) -> tuple[list[Request], list[Frame]]:
    """The requests of a poll, and their replies."""
    poll: Dialogue = device.poll()
    requests, replies = [next(poll)], []
    while True:
        reply = simulated.answer(heard(requests[-1].data))
        assert reply is not None
        replies.append(heard(reply))
        try:
            requests.append(poll.send(replies[-1]))
        except StopIteration:
            return requests, replies


@pytest.mark.parametrize("keys", [{"address": 5}, {"id": "06855817", "manufacturer": "KAM"}])
def test_a_reply_of_another_kind_or_of_another_meter_is_not_taken(keys: dict[str, Any]) -> None:
    (first, *_, ask), (ack, *_, told) = requests_of(meter(**keys), multical())
    assert [first.accepts(ack), first.accepts(told)] == [True, False]
    assert [ask.accepts(ack), ask.accepts(told)] == [False, True]
    assert not ask.accepts(heard(ask.data)), "its own echo"
    message = link.parse(told)
    assert message is not None
    other = secondary.build(replace(KAMSTRUP, id="06855818")) + message.data[secondary.LENGTH :]
    foreign = replace(message, a=6, data=other)
    assert not ask.accepts(heard(link.build(foreign)))
    assert not ask.accepts(heard(link.build(replace(message, c=link.SND_UD))))


def test_a_selected_meter_that_tells_no_address_is_not_believed() -> None:
    ask = requests_of(meter(id="06855817"), multical())[0][-1]
    for ci in (application.NO_HEADER, application.SHORT_HEADER, application.LONG_HEADER):
        assert not ask.accepts(heard(link.build(Message(link.RSP_UD, 5, ci, build(ENERGY)))))
    fixed = "17588506 0a 00 e97e 01000000 35010000"
    assert ask.accepts(heard(link.build(Message(link.RSP_UD, 5, application.FIXED, bytes.fromhex(fixed)))))


def test_the_only_meter_of_a_line_answers_under_its_own_address() -> None:
    assert polled(meter(address=254), multical())[0].values == (TOLD,)


def test_what_is_planned_is_what_is_asked() -> None:
    device, simulated = meter(id="06855817"), multical([ENERGY, VOLUME], [FLOW])
    for _ in range(2):
        planned = [request.summary for request in device.planned()]
        requests, replies = requests_of(device, simulated)
        assert [request.summary for request in requests][: len(planned)] == planned
    assert [request.reply_length for request in device.planned()] == [len(reply.data) for reply in replies]
    primary = meter()
    assert [request.summary for request in primary.planned()] == ["meter 5: reset", "meter 5: data"]
    polled(primary, simulated)
    assert [request.summary for request in primary.planned()] == ["meter 5: data", "meter 5: telegram 2"]


def test_the_selection_on_the_wire() -> None:
    (request, *_) = meter(id="12345678").planned()
    assert request.data.hex(" ") == "68 0b 0b 68 53 fd 52 78 56 34 12 ff ff ff ff b2 16"


@pytest.mark.parametrize(
    ("wanted", "is_meant"),
    [
        (Secondary("06855817"), True),
        (Secondary("0685ffff"), True),
        (Secondary("ffffffff", "KAM", None, 4), True),
        (Secondary("06855817", "KAM", 9), False),
        (Secondary("06855817", "", None, 7), False),
        (Secondary("06855816"), False),
    ],
)
def test_a_selection_covers_the_meters_it_stands_for(wanted: Secondary, is_meant: bool) -> None:
    assert wanted.covers(KAMSTRUP) is is_meant
    assert secondary.parse(secondary.build(wanted)) == wanted


def test_the_keys_of_a_meter() -> None:
    settings = parse_settings(
        {"id": "050002E5", "manufacturer": "FIN", "values": {"u": "voltage_l1_storage2"}}
    )
    assert settings.secondary == Secondary("050002e5", "FIN")
    assert PROTOCOL.address_of(settings) == "050002e5.FIN.*.*"
    assert PROTOCOL.units_of(settings) == {"u": "V"}
    everything = PROTOCOL.units_of(parse_settings({"address": 0}))
    assert everything["energy_tariff1_storage12"] == everything.get("energy") == "Wh"
    assert everything.get("nonsense") is None
    assert len(set(everything)) == len(everything)
    assert PROTOCOL.address_of(parse_settings({"address": 0})) == "0"


def test_every_mistake_is_told_at_once_with_its_place_and_fix() -> None:
    wrong = {
        "address": 251,
        "adress": 1,
        "id": 6855817,
        "manufacturer": "kam",
        "version": 255,
        "medium": True,
        "values": ["energie", "energy", "energy", 7],
    }
    with pytest.raises(SettingsError) as caught:
        parse_settings(wrong)
    told = {".".join(map(str, path)): message for path, message in caught.value.problems}
    assert {path: re.split(r"[;]", message)[0] for path, message in told.items()} == {
        "": "has both address and id, keep one of them",
        "adress": "is no key here, did you mean address?",
        "address": "251 is no primary address, use 0–250, or 254 for the only meter on the line",
        "id": '6855817 is a number, write the eight digits on the meter in quotes: "06855817"',
        "manufacturer": '"kam" is not three capital letters, like "KAM"',
        "version": "255 is no version, use 0–254",
        "medium": "True is no medium, use 0–254",
        "values.0": '"energie" is no value, use energy or energy_calorie or energy_joule',
        "values.2": '"energy" is there twice',
        "values.3": "7 is no value, use energy or energy_joule or volume",
    }


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "needs address = 1 .* or id"),
        ({"address": "06855817"}, "the digits on the label go to id"),
        ({"address": True}, "True is no primary address"),
        ({"address": 253}, "253 is no primary address"),
        ({"id": "0685FFFF"}, "has an F in it, which stands for any digit"),
        ({"id": "0685581"}, "is no id"),
        ({"id": ["06855817"]}, "is no id"),
        ({"address": 5, "version": 8}, "belongs to an id"),
        ({"address": 5, "values": "energy"}, "is no list"),
        ({"address": 5, "values": []}, "is empty, leave it out"),
        ({"address": 5, "values": {"heat": "energy_storage01"}}, "values.heat: .* is no value"),
    ],
)
def test_a_wrong_key_is_named(keys: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_settings(keys)
