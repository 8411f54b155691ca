"""M-Bus: a meter is polled by its primary or secondary address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from protocols.mbus import PROTOCOL, application, link, secondary
from protocols.mbus.device import MAX_TELEGRAMS, Meter
from protocols.mbus.link import ACKNOWLEDGEMENT, Message, StreamFramer
from protocols.mbus.records import MORE_FOLLOW, Record
from protocols.mbus.secondary import Secondary
from protocols.mbus.settings import parse_settings
from protocols.mbus.simulation import SimulatedMeter
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult, Request, Values

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
    """Return what a poll brings, and what it asked for; no request of that number is answered."""
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


def requests_of(device: Meter, simulated: SimulatedMeter) -> tuple[list[Request], list[Frame]]:
    """Return the requests of a poll, and their replies."""
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


def test_each_poll_sets_a_meter_to_its_first_telegram_and_reads_a_new_one() -> None:
    device, simulated = meter(), multical()
    for number in 1, 2:
        assert polled(device, simulated) == (PollResult((TOLD,)), [NKE, "data"])
        assert simulated.access_number == number


@pytest.mark.parametrize("keys", [{"address": 5}, {"id": "06855817"}])
def test_sensors_of_one_meter_with_rhythms_of_their_own_are_told_what_it_tells_now(
    keys: dict[str, Any],
) -> None:
    often, seldom = meter(**keys), meter(**keys, values=["energy", "volume"])
    simulated = multical()
    for number, device in enumerate([often, seldom, often, often, seldom, often, seldom, seldom]):
        now = replace(VOLUME, data=number.to_bytes(4, "little"))
        simulated.telegrams = [[ENERGY], [now], [FLOW]]
        result, _ = polled(device, simulated)
        assert (result.complete, result.values[0]["volume"]) == (True, number / 100)


def test_a_request_that_is_repeated_has_the_same_frame_count_bit_and_the_next_one_the_other() -> None:
    telegrams = [ENERGY], [VOLUME], [FLOW]
    requests, replies = requests_of(meter(), multical(*telegrams))
    assert [request.data[1] & link.FCB for request in requests[1:]] == [link.FCB, 0, link.FCB]
    other = multical(*telegrams)
    for request, reply in zip(requests, replies, strict=True):
        assert [other.answer(heard(request.data)) for _ in range(2)] == [reply.data, reply.data]


def test_all_telegrams_of_a_meter_are_read_each_time() -> None:
    device, simulated = meter(), multical([ENERGY], [VOLUME], [FLOW])
    for _ in range(2):
        result, asked = polled(device, simulated)
        assert result == PollResult((TOLD,))
        assert asked == [NKE, "data", "telegram 2", "telegram 3"]


def test_a_selected_meter_is_read_by_its_digits_whatever_its_primary_address() -> None:
    device = meter(id="06855817")
    others = [replace(multical(), secondary=replace(KAMSTRUP, id="06855818")) for _ in range(2)]
    simulated = multical([ENERGY], [VOLUME, FLOW])
    for _ in range(2):
        result, asked = polled(device, *others, simulated)
        assert result == PollResult((TOLD,))
        assert asked == [*SELECTED_ANEW, "data", "telegram 2"]


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
    assert polled(device, simulated, deaf_to=2)[0] == PollResult(({},), complete=False)
    assert polled(device, simulated)[0] == PollResult((TOLD,))


@dataclass(slots=True)
class NoReset(SimulatedMeter):
    """A meter that leaves SND_NKE unanswered, heeding it or not."""

    heeds_it: bool = False

    def answer(self, request: Frame) -> bytes | None:
        asked = link.parse(request)
        if asked is not None and asked.c == link.SND_NKE:
            if self.heeds_it:
                SimulatedMeter.answer(self, request)
            return None
        return SimulatedMeter.answer(self, request)


@pytest.mark.parametrize("keys", [{"address": 5}, {"id": "06855817"}])
@pytest.mark.parametrize("heeds_it", [False, True])
@pytest.mark.parametrize("telegrams", [1, 2, 3])
def test_a_meter_that_leaves_the_reset_unanswered_is_read_and_never_tells_old_values(
    keys: dict[str, Any], heeds_it: bool, telegrams: int
) -> None:
    often, seldom = meter(**keys), meter(**keys, values=["energy"])
    simulated = NoReset(5, secondary=KAMSTRUP, heeds_it=heeds_it)
    for number, device in enumerate([often, seldom, often, often, seldom, seldom]):
        now = replace(ENERGY, data=bytes((number, 0, 0, 0)))
        simulated.telegrams = [[now], [VOLUME], [FLOW]][:telegrams]
        result, _ = polled(device, simulated)
        assert (result.complete, result.values[0]["energy"]) == (True, 1000 * number)
        assert device is seldom or len(result.values[0]) == telegrams


@pytest.mark.parametrize(
    ("keys", "asked"), [({"address": 5}, [NKE, "data"]), ({"id": "06855817"}, ["selection"])]
)
def test_a_dead_meter_costs_short_requests(keys: dict[str, Any], asked: list[str]) -> None:
    device = meter(**keys)
    for _ in range(2):
        assert polled(device) == (PollResult(({},), complete=False), asked)


def test_what_is_refused_while_the_first_telegram_is_sought_is_said() -> None:
    result, _ = polled(meter(), NoReset(5, [[ENERGY]], refuses=8))
    assert [str(refusal) for refusal in result.refusals] == ["data: Application busy"]


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
            """Say DIF 1F each time, in the same telegram or another one each time."""
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


def test_a_selected_meter_that_tells_no_address_is_believed() -> None:
    @dataclass(slots=True)
    class Unnamed(SimulatedMeter):
        """A meter whose telegrams begin with a short header, or with none."""

        ci: int = application.SHORT_HEADER

        def answer(self, request: Frame) -> bytes | None:
            reply = SimulatedMeter.answer(self, request)
            if reply is None or reply == ACKNOWLEDGEMENT:
                return reply
            message = link.parse(heard(reply))
            assert message is not None
            header = secondary.LENGTH if self.ci == application.SHORT_HEADER else application.HEADER_LENGTH
            return link.build(replace(message, ci=self.ci, data=message.data[header:]))

    for ci in application.SHORT_HEADER, application.NO_HEADER:
        simulated = Unnamed(5, [[ENERGY, VOLUME, FLOW]], KAMSTRUP, ci=ci)
        assert polled(meter(id="06855817"), simulated)[0] == PollResult((TOLD,))


def test_a_selected_meter_that_tells_another_address_is_not_believed() -> None:
    ask = requests_of(meter(id="06855817"), multical())[0][-1]
    for digits, is_believed in ("17588506", True), ("18588506", False):
        fixed = bytes.fromhex(digits + "0a 00 e97e 01000000 35010000")
        assert (
            ask.accepts(heard(link.build(Message(link.RSP_UD, 5, application.FIXED, fixed)))) is is_believed
        )


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
    requests, _ = requests_of(primary, simulated)
    assert [request.data for request in primary.planned()] == [request.data for request in requests]
    assert [request.summary for request in requests][1:] == ["meter 5: data", "meter 5: telegram 2"]


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
