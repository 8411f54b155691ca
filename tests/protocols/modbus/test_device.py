"""A poll against a simulated unit: what is asked, what comes back, what is learned."""

from __future__ import annotations

from typing import Any

from protocols import protocol
from protocols.dialogue import LineSettings, PollResult
from protocols.framing import Direction, Frame
from protocols.modbus.device import POLLS_BETWEEN_RETRIES, ModbusDevice
from protocols.modbus.rtu import RequestFramer, SimulatedUnit, adu
from protocols.modbus.settings import parse_settings
from tests.protocols.vectors import frames

LINE = LineSettings.parse("9600 8N1")


def device(*sensors: dict[str, Any]) -> ModbusDevice:
    return ModbusDevice([parse_settings({"address": 1} | sensor) for sensor in sensors], LINE)


def holding(*addresses: int, **more: Any) -> dict[str, Any]:
    return {"registers": {f"r{at}": {"holding": at} for at in addresses}} | more


def unit(*missing: int, upto: int = 200, **more: Any) -> SimulatedUnit:
    return SimulatedUnit(1, holding={at: at + 1000 for at in range(upto) if at not in missing}, **more)


def poll(
    polled: ModbusDevice, answering: SimulatedUnit, *, replies: int = 1000
) -> tuple[PollResult, list[str]]:
    """The result, and what was asked; after so many replies the unit falls silent."""
    asked: list[str] = []
    dialogue = polled.poll()
    frame: Frame | None = None
    try:
        request = next(dialogue)
        while True:
            asked.append(request.summary.removeprefix("unit 1: "))
            (heard,) = RequestFramer().feed(request.data)
            assert isinstance(heard, Frame)
            reply = answering.answer(heard) if len(asked) <= replies else None
            frame = None
            if reply is not None:
                (frame,) = (Frame(data) for data in frames(request.framer().feed(reply)))
                assert request.accepts(frame)
                assert len(reply) in (request.reply_length, 5)
            request = dialogue.send(frame)
    except StopIteration as stop:
        return stop.value, asked


def test_a_poll_brings_all_values_in_one_request() -> None:
    polled = device(holding(*range(10)))
    result, asked = poll(polled, unit())
    assert asked == ["holding registers 0–9"]
    assert result == PollResult(values=({f"r{at}": at + 1000 for at in range(10)},))
    assert [request.summary for request in polled.planned()] == ["unit 1: holding registers 0–9"]


def test_eight_sensors_of_one_unit_are_one_request() -> None:
    result, asked = poll(device(*(holding(at) for at in range(8))), unit())
    assert asked == ["holding registers 0–7"]
    assert result.values == tuple({f"r{at}": at + 1000} for at in range(8))


def test_every_table_is_read() -> None:
    answering = SimulatedUnit(1, {3: 7}, {4: 8}, {5: True}, {6: False, 14: True})
    registers = {"h": {"holding": 3}, "i": {"input": 4}, "c": {"coil": 5}, "d": {"discrete": 14}}
    result, asked = poll(device({"registers": registers}), answering)
    assert len(asked) == 4
    assert result.values == ({"h": 7, "i": 8, "c": True, "d": True},)


def test_a_refused_hole_is_learned_and_costs_no_value() -> None:
    polled, answering = device(holding(0, 1, 2, 5, 6, 9)), unit(3, 4)
    result, asked = poll(polled, answering)
    assert asked[0] == "holding registers 0–9"
    assert result.complete
    assert result.values[0]["r9"] == 1009
    assert [refusal.code for refusal in result.refusals] == [2, 2]
    result, asked = poll(polled, answering)
    assert asked == ["holding registers 0–2", "holding registers 5–9"]
    assert (result.complete, result.refusals) == (True, ())


def test_a_refused_register_is_found_and_costs_only_itself() -> None:
    polled, answering = device(holding(*range(8))), unit(refuse={("holding", 5)})
    result, _ = poll(polled, answering)
    assert result.values[0].keys() == {f"r{at}" for at in range(8)} - {"r5"}
    assert not result.complete
    assert str(result.refusals[-1]) == "holding registers 5: illegal data address"
    result, asked = poll(polled, answering)
    assert asked == ["holding registers 0–4", "holding registers 6–7"]
    assert not result.complete


def test_a_refused_register_is_asked_for_again_now_and_then_and_comes_back() -> None:
    polled, answering = device(holding(*range(8))), unit(refuse={("holding", 5)})
    poll(polled, answering)
    answering.refuse.clear()
    again = [poll(polled, answering) for _ in range(POLLS_BETWEEN_RETRIES + 1)]
    asked_for_5 = [number for number, (_, asked) in enumerate(again) if "holding registers 5" in asked]
    assert asked_for_5 == [POLLS_BETWEEN_RETRIES - 1]
    assert again[-1] == (PollResult(({f"r{at}": at + 1000 for at in range(8)},)), ["holding registers 0–7"])


def test_a_unit_that_refuses_everything_is_still_asked() -> None:
    polled, answering = device(holding(0)), unit(refuse={("holding", 0)})
    for _ in range(3):
        result, asked = poll(polled, answering)
        assert asked == ["holding registers 0"]
        assert len(result.refusals) == 1
    answering.refuse.clear()
    assert poll(polled, answering)[0].complete


def test_a_unit_with_a_smaller_maximum_is_learned() -> None:
    polled, answering = device(holding(*range(60))), unit(max_registers=20)
    result, _ = poll(polled, answering)
    assert (result.complete, len(result.values[0])) == (True, 60)
    result, asked = poll(polled, answering)
    assert result.refusals == ()
    assert len(asked) == 4


def test_a_known_maximum_is_kept() -> None:
    _, asked = poll(device(holding(*range(60), limits={"max_registers": 20})), unit(max_registers=20))
    assert len(asked) == 3


def test_silence_ends_a_poll_and_keeps_what_was_read() -> None:
    result, asked = poll(device(holding(0, 100)), unit(), replies=1)
    assert asked == ["holding registers 0", "holding registers 100"]
    assert (result.values, result.complete) == (({"r0": 1000},), False)


def test_another_refusal_is_recorded_and_teaches_nothing() -> None:
    polled = device(holding(0, 1))
    dialogue = polled.poll()
    next(dialogue)
    try:
        dialogue.send(Frame(adu(1, b"\x83\x06")))
    except StopIteration as stop:
        result: PollResult = stop.value
    assert str(result.refusals[0]) == "holding registers 0–1: server device busy"
    assert not result.complete
    assert poll(polled, unit())[1] == ["holding registers 0–1"]


def test_only_a_reply_of_the_asked_shape_is_accepted() -> None:
    (request,) = device(holding(0, 1)).planned()
    good = adu(1, b"\x03\x04\0\1\0\2")
    assert request.accepts(Frame(good))
    assert request.accepts(Frame(adu(1, b"\x83\x02")))
    for wrong in (
        adu(2, b"\x03\x04\0\1\0\2"),
        adu(1, b"\x04\x04\0\1\0\2"),
        adu(1, b"\x03\x02\0\1"),
        adu(1, b"\x84\x02"),
        request.data,
    ):
        assert not request.accepts(Frame(wrong))


def test_values_out_of_limits_are_counted_and_left_out() -> None:
    registers = {"a": {"holding": 0, "max": 900}, "b": {"holding": 1, "invalid": 1001}, "c": {"holding": 2}}
    result, _ = poll(device({"registers": registers}), unit())
    assert result == PollResult(({"c": 1002},), out_of_limits=1)


def test_the_catalogue_makes_the_same_device() -> None:
    entry = protocol("modbus-rtu")
    sensor = entry.settings({"address": 7, "model": "eastron-sdm120"})
    assert entry.address_of(sensor) == "7"
    assert entry.device([sensor], LINE).address == "7"


def test_a_simulated_unit_refuses_as_the_specification_says() -> None:
    answering = unit(upto=10)

    def answer(body: str, address: int = 1) -> bytes | None:
        return answering.answer(Frame(adu(address, bytes.fromhex(body)), Direction.REQUEST))

    assert answer("03 0000 0001") == adu(1, bytes.fromhex("03 02 03E8"))
    assert answer("03 0009 0002") == adu(1, b"\x83\x02")
    assert answer("03 0000 0000") == adu(1, b"\x83\x03")
    assert answer("03 0000 007E") == adu(1, b"\x83\x03")
    assert answer("06 0000 0001") == adu(1, b"\x86\x01")
    assert answer("03 0000 0001", address=2) is None
    assert answer("06 0000 0001", address=0) is None
