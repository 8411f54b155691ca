"""SunSpec devices whose content the Alliance's own library made, polled through a simulated unit."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from protocols import load
from protocols.modbus.rtu import RequestFramer, SimulatedUnit
from protocols.modbus.settings import parse_settings
from protocols.modbus.sunspec import definitions
from protocols.modbus.sunspec.simulation import chain_of
from protocols.modbus.sunspec.walk import BASES
from protocols.modbus.sunspec_device import SunSpecDevice
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import LineSettings, PollResult
from tests.protocols.modbus.sunspec.foreign import ForeignModel, rounded

LINE = LineSettings.parse("9600 8N1")
_END = [0xFFFF, 0]


def polled_device(*tables: Mapping[str, Any]) -> SunSpecDevice:
    return SunSpecDevice(
        [parse_settings({"address": 1, "model": "sunspec"} | dict(table)) for table in tables], LINE
    )


def image(models: Iterable[Sequence[int]], base: int = 40000, end: Sequence[int] = _END) -> dict[int, int]:
    words = [0x5375, 0x6E53, *(word for model in models for word in model), *end]
    return dict(enumerate(words, base))


def common(length: int = 66) -> list[int]:
    return [1, length, *([0] * length)]


def poll(
    device: SunSpecDevice,
    unit: SimulatedUnit,
    now: float = 0.0,
    is_lost: Callable[[int], bool] = lambda index: False,
) -> tuple[PollResult, list[str]]:
    """Return the result of a poll and the summaries of its requests; of those lost no reply comes."""
    summaries: list[str] = []
    dialogue = device.poll(now)
    frame: Frame | None = None
    while True:
        try:
            request = dialogue.send(frame) if summaries else next(dialogue)
        except StopIteration as stop:
            return _rounded(stop.value), summaries
        summaries.append(request.summary)
        (asked,) = RequestFramer().feed(request.data)
        assert isinstance(asked, Frame)
        reply = None if is_lost(len(summaries)) else unit.answer(asked)
        frame = Frame(reply, direction=Direction.REPLY) if reply else None
        assert frame is None or request.accepts(frame)


def _rounded(result: PollResult) -> PollResult:
    """Return the result with its numbers as the foreign side rounds them."""
    return replace(result, values=tuple(map(rounded, result.values)))


@pytest.mark.parametrize("number", sorted(definitions.numbers() - {1}))
def test_every_model_is_read_as_the_alliances_own_library_reads_it(number: int) -> None:
    for seed in range(3):
        foreign = ForeignModel(number, seed)
        unit = SimulatedUnit(1, holding=image([common(), foreign.words]))
        result, _ = poll(polled_device({"models": [number]}), unit)
        (values,) = result.values
        assert values == foreign.values
        assert result.complete or not foreign.values


@pytest.mark.parametrize("base", BASES)
def test_a_chain_is_found_wherever_it_may_begin_and_read_once(base: int) -> None:
    foreign = [ForeignModel(number, 1) for number in (103, 160, 203)]
    unit = SimulatedUnit(1, holding=image([common(), *(model.words for model in foreign)], base))
    device = polled_device({"models": [103, 160, 203]})
    first, walk = poll(device, unit)
    second, requests = poll(device, unit, 1.0)
    assert first.values == second.values
    assert first.values[0] == {key: value for model in foreign for key, value in model.values.items()}
    assert len(requests) <= 3 < len(walk)


def test_without_a_choice_what_measures_is_read_and_settings_are_not() -> None:
    models = {number: ForeignModel(number, 2) for number in (1, 103, 123)}
    unit = SimulatedUnit(1, holding=image(model.words for model in models.values()))
    (values,) = poll(polled_device({}), unit)[0].values
    assert values == models[103].values


def test_a_lost_reply_costs_one_read_and_not_the_walk() -> None:
    models = [ForeignModel(number, 3) for number in (1, 103, 160, 203)]
    unit = SimulatedUnit(1, holding=image(model.words for model in models))
    rng = random.Random(5)
    device = polled_device({"models": [103]})
    requests = 0
    for _ in range(20):
        result, summaries = poll(device, unit, is_lost=lambda _: rng.random() < 0.4)
        requests += len(summaries)
        if result.values[0]:
            break
    assert result.values[0] == models[1].values
    assert requests <= 20


def test_no_value_is_believed_after_the_models_have_moved() -> None:
    meter, inverter = ForeignModel(203, 1), ForeignModel(103, 1)
    device = polled_device({"models": [103]})
    poll(device, SimulatedUnit(1, holding=image([common(), inverter.words, meter.words])))
    moved = SimulatedUnit(1, holding=image([common(), meter.words, inverter.words]))
    result, _ = poll(device, moved, 1.0)
    assert result.values == ({},)
    assert "looked up again" in str(result.refusals[0])
    assert poll(device, moved, 2.0)[0].values[0] == inverter.values


def test_a_model_that_is_there_twice_has_keys_of_its_own() -> None:
    first, second = ForeignModel(203, 1), ForeignModel(203, 2)
    unit = SimulatedUnit(1, holding=image([common(), first.words, second.words]))
    (values,) = poll(polled_device({"models": [203]}), unit)[0].values
    renamed = {
        key.replace("ac_meter_abcn_", "ac_meter_abcn_2_"): value for key, value in second.values.items()
    }
    assert values == {**first.values, **renamed}


@pytest.mark.parametrize("max_registers", [2, 16, 100])
def test_a_device_that_answers_short_reads_only_is_read_in_parts(max_registers: int) -> None:
    foreign = ForeignModel(103, 1)
    unit = SimulatedUnit(1, holding=image([common(), foreign.words]), max_registers=max_registers)
    device = polled_device({"models": [103], "limits": {"max_registers": max_registers}})
    assert poll(device, unit)[0].values[0] == foreign.values


def test_a_chain_whose_end_has_no_length_is_walked() -> None:
    foreign = ForeignModel(103, 1)
    unit = SimulatedUnit(1, holding=image([common(), foreign.words], end=[0xFFFF]))
    assert poll(polled_device({"models": [103]}), unit)[0].values[0] == foreign.values


def test_models_of_the_maker_and_models_that_are_not_there_are_named() -> None:
    foreign = ForeignModel(103, 1)
    unit = SimulatedUnit(1, holding=image([common(), [64999, 3, 1, 2, 3], foreign.words]))
    device = polled_device({"models": [103, 160]})
    assert poll(device, unit)[0].values[0] == foreign.values
    assert device.lessons() == [
        "SunSpec model 64999 at 40070 is a maker's own: its 3 registers are not read",
        "SunSpec model 160 is not in the device, which has 1, 64999, 103: its values are not read",
    ]


@pytest.mark.parametrize(
    ("holding", "sentence"),
    [
        (dict.fromkeys((0, 1, 40000, 40001, 50000, 50001), 0), 'holds "SunS"'),
        ({}, 'holds "SunS"'),
        (image([common(), [160, 4, 1, 2, 3, 4]]), "none of the models that are asked for"),
        (image([[103, 0]] * 300), "has no end"),
    ],
)
def test_what_is_no_chain_is_said(holding: dict[int, int], sentence: str) -> None:
    result, requests = poll(polled_device({"models": [103]}), SimulatedUnit(1, holding=holding))
    assert result.values == ({},)
    assert sentence in str(result.refusals[0])
    assert len(requests) <= 250


def test_other_sensors_of_the_unit_are_read_though_it_has_no_chain() -> None:
    unit = SimulatedUnit(1, holding={7: 42})
    settings = [
        parse_settings({"address": 1, "model": "sunspec"}),
        parse_settings({"address": 1, "registers": {"seven": {"holding": 7}}}),
    ]
    result, _ = poll(SunSpecDevice(settings, LINE), unit)
    assert result.values == ({}, {"seven": 42})


def test_a_twin_learns_apart() -> None:
    foreign = ForeignModel(103, 1)
    unit = SimulatedUnit(1, holding=image([common(), foreign.words]))
    device = polled_device({"models": [103]})
    twin = device.twin()
    poll(twin, unit)
    assert len(poll(device, unit)[1]) > len(poll(twin, unit)[1])


def test_the_simulated_chain_is_read_whole() -> None:
    for number in sorted(definitions.numbers() - {1}):
        words, registers = chain_of([number])
        result, _ = poll(polled_device({"models": [number]}), SimulatedUnit(1, holding=words))
        assert result.complete or not registers
        assert set(result.values[0]) <= {register.name for register in registers} | set(result.values[0])


@pytest.mark.parametrize(
    ("table", "path", "message"),
    [
        ({"model": "sunspec", "models": []}, ("models",), "is not a list"),
        ({"model": "sunspec", "models": [103, 99999]}, ("models", 1), "99999 is not the number"),
        ({"model": "sunspec", "models": ["103"]}, ("models", 0), "is not the number"),
        ({"model": "eastron-sdm630", "models": [103]}, ("models",), "leave it out"),
    ],
)
def test_mistakes_in_the_choice_are_named(
    table: dict[str, Any], path: tuple[object, ...], message: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_settings({"address": 1} | table)
    ((where, text),) = raised.value.problems
    assert where == path
    assert message in text


_WITHOUT_PACKAGE = """
import sys
sys.modules["sunspec2"] = None
from protocols.modbus.settings import parse_settings
from protocols.toolkit.errors import SettingsError
try:
    parse_settings({"address": 1, "model": "sunspec"})
except SettingsError as error:
    print(error)
"""


def test_missing_definitions_are_a_sentence_with_the_command_to_type() -> None:
    python = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PACKAGE], capture_output=True, text=True, check=True
    )
    assert python.stdout == (
        "model: the definitions of SunSpec's models are not installed: pip install 'serial-bridge[sunspec]'\n"
    )


def test_units_are_those_of_the_definitions_whatever_the_number_of_a_group() -> None:
    units = parse_settings({"address": 1, "model": "sunspec", "models": [103, 160]}).units
    assert units["inverter_three_phase_W"] == "W"
    assert units["mppt_module_7_DCA"] == "A"
    assert units["inverter_three_phase_2_PhVphA"] == "V"
    assert "mppt_module_1_DCV" in set(units)


def test_a_sensor_of_a_site_can_be_a_sunspec_device() -> None:
    protocol = load("modbus-rtu")
    settings = protocol.settings({"address": 1, "model": "sunspec"})
    assert isinstance(protocol.device([settings], LINE), SunSpecDevice)
