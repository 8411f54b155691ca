"""A second device with the address of a first: no value arrives under another key, and a person is told."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from bridge.causes import Cause, diagnosis
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.support.loop import on_jumping_clock

SEVERAL_OF_ONE_LENGTH = tuple((201 * block, 1) for block in range(8))
FEW_LENGTHS = "limits = { max_registers = 5 }"  # fewer than these reads, so not all can be told apart
SECONDS = 120.0


@on_jumping_clock
async def _two(folder: Path, line: str, lag_s: float, joins_s: float) -> None:
    sensors = [Sensor(1, 1.0, SEVERAL_OF_ONE_LENGTH, FEW_LENGTHS), Sensor(2, 1.0, ((0, 2),))]
    reader = SimulatedReader(folder, line, sensors)
    loop = asyncio.get_running_loop()
    loop.call_later(joins_s, setattr, reader.wire.faults[1], "twin_s", lag_s)
    began = loop.time()
    await reader.run(SECONDS)
    assert reader.audit.findings.wrong_key == reader.audit.findings.wrong_sensor == 0
    if reader.status["sensors"]["s0"]["second_replies"] > 3:
        assert reader.status["sensors"]["s0"]["learned"]["answers_twice"]
        assert reader.readings(0, began) > 0, "what cannot be mistaken is read on"
    assert not reader.status["sensors"]["s1"]["learned"]["answers_twice"]


@pytest.mark.parametrize("line", ["9600 8N1", "115200 8N1"])
@pytest.mark.parametrize("joins_s", [0.0, 60.0])
@pytest.mark.parametrize(
    "lag_s", [0.0002, 0.005, 0.012, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.2, 0.4, 0.8]
)
def test_no_value_is_under_another_key(line: str, joins_s: float, lag_s: float, tmp_path: Path) -> None:
    _two(tmp_path, line, lag_s, joins_s)


@on_jumping_clock
async def _leaves(folder: Path) -> None:
    reader = SimulatedReader(folder, "9600 8N1", [Sensor(1, 1.0, SEVERAL_OF_ONE_LENGTH, FEW_LENGTHS)])
    reader.wire.faults[1].twin_s = 0.03
    loop = asyncio.get_running_loop()
    loop.call_later(60.0, setattr, reader.wire.faults[1], "twin_s", None)
    began = loop.time()
    await reader.run(SECONDS)
    assert not reader.status["sensors"]["s0"]["learned"]["answers_twice"]
    assert reader.readings(0, began + 90.0) >= 29
    assert reader.status["sensors"]["s0"]["second_replies"] > 10


def test_once_the_second_device_has_gone_the_first_is_read_as_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _leaves(tmp_path)
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"s0 (address 1) {diagnosis(Cause.TWO_DEVICES)}"]
