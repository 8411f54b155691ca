"""What passes on a line: shown, kept, and learned from."""

from __future__ import annotations

import json
import os
import random
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.captures import Record, open_capture, read
from bridge.commands.decode.traffic import Traffic
from bridge.commands.sniff.learning import blocks, learned
from bridge.commands.terminal.app import app
from bridge.config import load_site
from bridge.simulator.field.replay import replay
from protocols import load
from protocols.modbus import pdu
from protocols.modbus.overhearing import ModbusOverhearer
from protocols.modbus.serial_line import StreamFramer, adu
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from tests.protocols.modbus.foreign_master import Line, content
from tests.protocols.modbus.test_overhearing import answer, events
from tests.protocols.modbus.test_overhearing import read as request
from tests.support.typing_person import Person

SITE = """\
site = "s"
[thingsboard]
url = "coap://h"
[bus.sniffed]
adapter = "/dev/ttyS0"
protocol = "modbus-rtu"
line = "9600 8N1"
listen = true
"""
BEGIN_US = 1_700_000_000_000_000


def capture_of(path: Path, *pieces: tuple[float, bytes]) -> Path:
    capture = open_capture(path)
    for at_s, data in pieces:
        capture.write(Record(BEGIN_US + round(at_s * 1e6), data))
    capture.close()
    return path


def sniff(*arguments: object) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["sniff", *map(str, arguments)], catch_exceptions=False)
    return result.exit_code, result.output.splitlines()


def test_a_capture_is_shown_with_both_directions(tmp_path: Path) -> None:
    path = capture_of(tmp_path / "line.pcapng", (0, request(1, 0, 2)), (0.05, answer(1, 0, 2)))
    status, (asked, answered) = sniff("--read", path, "--protocol", "modbus-rtu")
    assert status == 0
    assert "> 01 03 00 00 00 02" in asked
    assert "< 01 03 04" in answered
    assert "registers=[256, 257]" in answered


def test_json_has_the_time_of_the_first_octet(tmp_path: Path) -> None:
    reply = answer(1, 0, 2)
    pieces = (0, request(1, 0, 2)), (0.05, reply[:3]), (0.06, reply[3:])
    path = capture_of(tmp_path / "line.jsonl", *pieces)
    _, lines = sniff("--read", path, "--protocol", "modbus-rtu", "--json")
    asked, answered = map(json.loads, lines)
    assert (asked["t"], answered["t"]) == (1_700_000_000, 1_700_000_000.05)
    assert (asked["direction"], answered["direction"]) == ("request", "reply")


def test_only_one_address_is_shown(tmp_path: Path) -> None:
    pieces = (0, request(1, 0, 2)), (0.05, answer(1, 0, 2)), (1, request(2, 0, 2)), (1.05, answer(2, 0, 2))
    path = capture_of(tmp_path / "line.jsonl", *pieces)
    _, lines = sniff("--read", path, "--protocol", "modbus-rtu", "--address", 2)
    assert len(lines) == 2
    assert all(" 02 03 " in line for line in lines)


def test_nothing_heard_says_what_to_compare(tmp_path: Path) -> None:
    path = capture_of(tmp_path / "line.jsonl", (0, b"\xff\x00\xff"))
    status, lines = sniff("--read", path, "--protocol", "modbus-rtu")
    assert status == 1
    assert lines[-1].startswith("no frame of modbus-rtu was heard: compare")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a bus of the site file or a port"),
        (("/dev/ttyUSB0",), "say what is spoken"),
        (("/dev/ttyUSB0", "--protocol", "modbus"), "is not a protocol"),
        (("/dev/ttyUSB0", "--protocol", "modbus-rtu"), "say how the line is set"),
        (("/dev/ttyUSB0", "--protocol", "modbus-rtu", "--line", "9600"), "--line: "),
    ],
)
def test_what_is_missing_is_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ["sniff", *arguments])
    assert said in str(result.exception)


def test_a_capture_replayed_gives_the_same_events(tmp_path: Path) -> None:
    line, protocol = Line(LineSettings(9600), 3), load("modbus-rtu")
    pieces = list(line.heard(500))
    first = Traffic(protocol)
    live = [
        heard for at_s, data in pieces for heard in first.hear(Record(BEGIN_US + round(at_s * 1e6), data))
    ]
    for form in ("pcapng", "jsonl"):
        again, path = Traffic(protocol), capture_of(tmp_path / f"line.{form}", *pieces)
        assert [heard for record in read(path) for heard in again.hear(record)] == live
    assert sum(isinstance(heard.event, Frame) for heard in live) > 400


@pytest.mark.parametrize("seed", range(10))
def test_the_site_that_is_proposed_gives_the_values_that_the_master_reads(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    starts = sorted(draw.sample(range(0, 200, 20), 3))
    reads = tuple((start, draw.randrange(1, 20)) for start in starts)
    units = draw.randrange(1, 5)
    teacher = ModbusOverhearer([])
    for event, start_s, end_s in events(
        Line(LineSettings(9600), seed, units=units, blocks=reads), 1500, seed
    ):
        teacher.hear(event, start_s, end_s)
    (tmp_path / "site.toml").write_text(SITE + blocks("sniffed", learned(teacher, 60.0)))
    bus = load_site(tmp_path / "site.toml").buses["sniffed"]
    assert [sensor.settings.address for sensor in bus.sensors] == [str(unit) for unit in range(1, units + 1)]
    overhearer = ModbusOverhearer([sensor.settings for sensor in bus.sensors])
    values: dict[tuple[int, str], object] = {}
    line = Line(LineSettings(9600), seed + 100, units=units, blocks=reads)
    for event, start_s, end_s in events(line, 1500, seed):
        for one in overhearer.hear(event, start_s, end_s):
            values |= {(one.sensor + 1, name): value for name, value in one.values.items()}
    assert values == {
        (unit, f"holding_{start + at}"): content(unit, start + at)
        for unit in range(1, units + 1)
        for start, quantity in reads
        for at in range(quantity)
    }


def test_decode_reads_a_capture(tmp_path: Path) -> None:
    path = capture_of(tmp_path / "line.pcapng", (0, request(1, 0, 2)), (0.05, answer(1, 0, 2)))
    result = CliRunner().invoke(app, ["decode", "modbus-rtu", "--capture", str(path), "--json"])
    asked, answered = map(json.loads, result.output.splitlines())
    assert (asked["t"], asked["offset"]) == (1_700_000_000, 0)
    assert (answered["t"], answered["offset"]) == (1_700_000_000.05, 8)
    assert answered["fields"]["registers"] == [256, 257]


def test_a_capture_is_played_with_its_timing(tmp_path: Path) -> None:
    link, said, waits = tmp_path / "devices" / "captured", [], []
    records = [Record(BEGIN_US, request(1, 0, 2)), Record(BEGIN_US + 500_000, answer(1, 0, 2))]
    heard = b""

    def sleep(seconds: float) -> None:
        nonlocal heard
        waits.append(seconds)
        if len(waits) == 1:
            nonlocal device
            device = os.open(link, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        else:
            with suppress(BlockingIOError):
                heard += os.read(device, 100)

    device = -1
    replay(records, link, said.append, sleep)
    os.close(device)
    assert heard == request(1, 0, 2) + answer(1, 0, 2)
    assert 0.45 < waits[2] <= 0.5
    assert said[-1].endswith("17 octets played")
    assert not link.is_symlink()


def test_a_model_that_the_master_reads_whole_is_named() -> None:
    teacher = ModbusOverhearer([])
    model = load("modbus-rtu").models
    assert model is not None
    text = ""
    for start in range(0, 400, 80):
        asked = b"\x01\x04" + start.to_bytes(2, "big") + (80).to_bytes(2, "big")
        reply = adu(1, pdu.REPLIES[4].build(function=4, data=bytes(160)))
        framer = StreamFramer()
        for event in framer.feed(adu(1, asked[1:]) + reply):
            teacher.hear(event, start / 10, start / 10)
        text = blocks("b", learned(teacher, 60.0))
    assert '# model = "eastron-sdm630"' in text


@pytest.mark.parametrize(("environment", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_shows_each_direction_in_its_colour(
    environment: dict[str, str], is_coloured: bool, tmp_path: Path
) -> None:
    path = capture_of(tmp_path / "line.pcapng", (0, request(1, 0, 2)), (0.05, answer(1, 0, 2)))
    command = ["sniff", "--read", str(path), "--protocol", "modbus-rtu"]
    with Person(*command, folder=tmp_path, environment={"NO_COLOR": "", **environment}) as person:
        assert person.ends() == 0
        asked, answered = person.text.splitlines()[:2]
    assert ("\x1b[36m> 01 03" in asked, "\x1b[32m< 01 03" in answered) == (is_coloured, is_coloured)
    assert "> 01 03 00 00 00 02" in asked
    assert "�" not in asked + answered
