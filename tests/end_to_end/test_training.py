"""`simulate --random`: a bus that nobody knows on a pseudo terminal, in real time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import serial

from bridge.simulator.training.drawing import random_bus
from protocols.modbus import serial_line
from protocols.toolkit.framing import Frame

pytestmark = pytest.mark.end_to_end

SEED = next(
    seed
    for seed in range(400)
    if random_bus(seed).devices[0].protocol == "modbus-rtu"
    and random_bus(seed).line.parity == "N"
    and not any((random_bus(seed).fault, random_bus(seed).has_foreign_master))
    and not any(device.fault for device in random_bus(seed).devices)
)


@contextmanager
def simulated(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bridge", "simulate", str(folder), "--random", str(SEED), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def answer_of(port: Path, baudrate: int, request: bytes) -> bytes:
    with serial.Serial(str(port), baudrate, timeout=0.6) as line:
        line.write(request)
        return bytes(line.read(64))


def test_a_bus_that_nobody_knows_answers_at_its_speed_alone(tmp_path: Path) -> None:
    with simulated(tmp_path, "--json") as process:
        assert process.stdout is not None
        truth: dict[str, Any] = json.loads(document(process))
        assert truth["devices"] == random_bus(SEED).document()["devices"]
        unit, speed = int(truth["devices"][0]["address"]), int(truth["line"].split()[0])
        request = serial_line.adu(unit, bytes.fromhex("0300000001"))
        heard = answer_of(Path(truth["link"]), speed, request)
        (frame,) = serial_line.StreamFramer().feed(heard)
        assert isinstance(frame, Frame)
        assert frame.data[0] == unit
        assert answer_of(Path(truth["link"]), 2 * speed, request) == b""


def document(process: subprocess.Popen[str]) -> str:
    """Return what is printed up to the end of a JSON document."""
    assert process.stdout is not None
    lines: list[str] = []
    while "}\n" not in lines:
        lines.append(process.stdout.readline())
    return "".join(lines)


def test_what_is_on_it_is_told_only_when_asked_for(tmp_path: Path) -> None:
    address = f"at {random_bus(SEED).devices[0].address}"
    for options, is_told in ((), False), (("--reveal",), True):
        with simulated(tmp_path, *options) as process:
            assert process.stdout is not None
            process.stdout.readline()
            said = process.stdout.readline() + (process.stdout.readline() if is_told else "")
        assert (address in said) is is_told
