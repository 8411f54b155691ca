"""What is proposed for a line that was listened to, run in listening mode, gives what the master reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.captures import Record, open_capture
from bridge.commands.terminal.app import app
from bridge.config import load_site
from bridge.errors import ConfigError
from protocols import load
from protocols.daly_bms.frame import build
from protocols.iec62056_21.frame import Identification
from protocols.iec62056_21.simulation import SimulatedMeter
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Values
from protocols.toolkit.protocol import PolledProtocol
from tests.protocols.toolkit.test_overhearing import BUSES, Bus
from tests.support.site import site_head

BEGIN_US = 1_700_000_000_000_000
Pieces = list[tuple[float, bytes]]


def proposed(folder: Path, protocol: str, pieces: Pieces) -> str:
    capture = open_capture(folder / "line.jsonl")
    for at_s, data in pieces:
        capture.write(Record(BEGIN_US + round(at_s * 1e6), data))
    capture.close()
    arguments = ["sniff", "--read", str(folder / "line.jsonl"), "--protocol", protocol, "--learn"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def overheard(folder: Path, protocol: str, blocks: str, pieces: Pieces) -> dict[str, Values]:
    """Return what the sensors of a proposed site bring, by their address."""
    entry = load(protocol)
    assert isinstance(entry, PolledProtocol)
    assert entry.overhearer is not None
    head = site_head("sniffed", protocol, str(entry.line or LineSettings(9600)), listen=True)
    (folder / "site.toml").write_text(head + blocks)
    sensors = load_site(folder / "site.toml").buses["sniffed"].sensors
    own, framer = entry.overhearer([sensor.settings for sensor in sensors]), entry.framer()
    values: dict[str, Values] = {sensor.settings.address: {} for sensor in sensors}
    for at_s, data in pieces:
        for event in (*framer.feed(data), *framer.silence()):
            for one in own.hear(event, at_s, at_s):
                values[sensors[one.sensor].settings.address] |= one.values
    assert not any(own.unread())
    return values


OTHERS = [bus for bus in BUSES if not bus.protocol.startswith("modbus")]


@pytest.mark.parametrize("bus", OTHERS, ids=lambda bus: f"{bus.protocol} {[*bus.sensors[0]]}")
def test_the_proposed_sensors_give_what_the_master_is_told(bus: Bus, tmp_path: Path) -> None:
    pieces: Pieces = []
    truth: dict[str, Values] = {}
    for _ in range(4):
        for settings, (exchanges, values) in zip(bus.settings, bus.polled(), strict=True):
            truth[settings.address] = values
            for exchange in exchanges:
                pieces += [(len(pieces) / 5 + at / 10, octets) for at, octets in enumerate(exchange)]
    blocks = proposed(tmp_path, bus.protocol, pieces)
    values = overheard(tmp_path, bus.protocol, blocks, pieces)
    assert values.keys() == truth.keys()
    for address, told in truth.items():
        assert told.items() <= values[address].items()


def test_only_what_the_master_reads_of_a_battery_is_proposed(tmp_path: Path) -> None:
    request = build(0x40, 0x90)
    reply = build(0x01, 0x90, bytes.fromhex("0214000075450378"))
    pieces = [piece for at in range(5) for piece in ((2.0 * at, request), (2.0 * at + 0.1, reply))]
    blocks = proposed(tmp_path, "daly-bms", pieces)
    assert 'every = "2s"' in blocks
    assert 'values = ["voltage", "current", "state_of_charge"]' in blocks
    assert overheard(tmp_path, "daly-bms", blocks, pieces)


def test_optical_meters_are_proposed_with_the_codes_of_their_readouts(tmp_path: Path) -> None:
    pieces: Pieces = []
    entry = load("iec62056-21")
    assert isinstance(entry, PolledProtocol)
    for number in (1, 2):
        meter = SimulatedMeter(
            Identification("ESY", "5", "Q3D"), {"1.8.0": f"{number:08}.00*kWh"}, str(number)
        )
        for request in (f"/?{number}!\r\n".encode(), b"\x06050\r\n"):
            pieces.append((len(pieces) / 5, request))
            for event in entry.framer().feed(request):
                assert isinstance(event, Frame)
                pieces += [(len(pieces) / 5, data) for _, data in meter.answer(event)]
    blocks = proposed(tmp_path, "iec62056-21", pieces)
    values = overheard(tmp_path, "iec62056-21", blocks, pieces)
    assert values.keys() == {"1", "2"}
    assert [set(each.values()) for each in values.values()] == [{1}, {2}]


def test_a_line_without_answers_proposes_nothing(tmp_path: Path) -> None:
    request = bytes.fromhex("dda50300fffd77")
    assert "nothing to propose" in proposed(tmp_path, "jbd-bms", [(0.0, request), (1.0, request)])


def test_of_sensors_that_push_nothing_is_learned(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no other master asks on it"):
        proposed(tmp_path, "sml", [(0.0, b"\x1b")])
