"""What this bridge would read beside what a foreign master gets: counted right, and judged for a move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bridge.captures import Record, open_capture
from bridge.commands.terminal.app import app
from bridge.errors import ConfigError
from protocols.modbus import pdu
from protocols.modbus.serial_line import adu
from protocols.toolkit.polling import LineSettings
from tests.protocols.modbus.foreign_master import Line, Shares, content
from tests.protocols.modbus.test_overhearing import answer, read
from tests.protocols.toolkit.test_overhearing import BUSES, Bus
from tests.support.site import site_head

BEGIN_US = 1_700_000_000_000_000
Pieces = list[tuple[float, bytes]]


def sensor(name: str, address: int, registers: dict[str, str], every: str = "10s") -> str:
    rows = "\n".join(f"{key} = {{ {row} }}" for key, row in registers.items())
    head = f'[[bus.meters.sensor]]\nname = "{name}"\naddress = {address}\nevery = "{every}"\n'
    return f"{head}[bus.meters.sensor.registers]\n{rows}\n"


def site(folder: Path, *sensors: str, **keys: str | int) -> Path:
    path = folder / "site.toml"
    path.write_text(site_head(**{"listen": True, **keys}) + "".join(sensors))  # type: ignore[arg-type]
    return path


def run(folder: Path, site: Path, pieces: Pieces, *options: str) -> tuple[int, str]:
    (folder / "line.jsonl").unlink(missing_ok=True)
    capture = open_capture(folder / "line.jsonl")
    for at_s, data in pieces:
        capture.write(Record(BEGIN_US + round(at_s * 1e6), data))
    capture.close()
    arguments = ["compare", "meters", "--site", str(site), "--read", str(folder / "line.jsonl"), *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return result.exit_code, result.output


def compared(folder: Path, site: Path, pieces: Pieces) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run(folder, site, pieces, "--json")[1])
    return document


def rounds(unit: int, count: int, every_s: float, start: int = 0, quantity: int = 2) -> Pieces:
    """A master that reads the same registers again and again."""
    return [
        piece
        for number in range(count)
        for piece in (
            (number * every_s, read(unit, start, quantity)),
            (number * every_s + 0.06, answer(unit, start, quantity)),
        )
    ]


def test_a_whole_line_is_ready_and_the_next_step_is_said(tmp_path: Path) -> None:
    path = site(tmp_path, sensor("main", 1, {"a": "holding = 0", "b": "holding = 1"}))
    status, text = run(tmp_path, path, rounds(1, 61, 1.0))
    assert status == 0
    assert text.splitlines()[-1] == (
        "next: when the old master is unplugged, remove `listen = true` from [bus.meters], then: "
        f"sudo serial-bridge install --site {path}, and serial-bridge try --bus meters --site {path}"
    )
    document = compared(tmp_path, path, rounds(1, 61, 1.0))
    assert document["is_ready"] is True
    (row,) = document["sensors"].values()
    assert row["asked"] == {
        "requests": 61,
        "writes": 0,
        "answered": 61,
        "refused": 0,
        "unanswered": 0,
        "doubtful": 0,
        "slowest_ms": pytest.approx(60 - 1000 * LineSettings(9600).duration_s(8), abs=0.2),
    }
    assert row["planned_requests"] == 1
    value = row["values"]["b"]
    assert (value["reads"], value["last"], value["never_read"]) == (61, content(1, 1), None)
    assert value["every_s"] == pytest.approx(1.0)
    assert document["wire_share"] == pytest.approx(10 * document["planned_share"], rel=0.05)


def test_every_number_of_a_failing_line_is_that_of_the_line(tmp_path: Path) -> None:
    registers = {f"r{at}": f"holding = {at}" for at in range(10)}
    path = site(tmp_path, *(sensor(f"unit{unit}", unit, registers) for unit in range(1, 13)))
    line = Line(LineSettings(9600), 7)
    document = compared(tmp_path, path, list(line.heard(3000)))
    asked = [row["asked"] for row in document["sensors"].values()]
    for counts in asked:
        parts = ("answered", "refused", "unanswered", "doubtful")
        assert counts["requests"] == sum(counts[part] for part in parts)
    answered, refused, doubtful = (
        sum(counts[part] for counts in asked) for part in ("answered", "refused", "doubtful")
    )
    assert document["answered"] == answered
    assert refused > 0
    assert 0.98 * line.replies < answered + refused + doubtful <= line.replies
    assert sum(counts["writes"] for counts in asked) > 0
    for unit in range(1, 13):
        for at in range(10):
            value = document["sensors"][f"unit{unit}"]["values"][f"r{at}"]
            assert value["least"] == value["most"] == value["last"] == content(unit, at)


def test_values_that_nobody_reads_and_units_that_nobody_configured_are_named(tmp_path: Path) -> None:
    path = site(tmp_path, sensor("main", 1, {"a": "holding = 0", "total": "holding = 40"}))
    pieces = rounds(1, 10, 1.0) + [(at + 0.3, data) for at, data in rounds(7, 10, 1.0)]
    document = compared(tmp_path, path, sorted(pieces))
    assert document["sensors"]["main"]["values"]["total"]["never_read"] == "holding 40"
    assert document["others"]["7"]["answered"] == 10
    verdict = "\n".join(document["verdict"])
    assert "main: total is never read by the master" in verdict
    assert "the master also asks address 7 (10 times)" in verdict
    assert document["is_ready"] is True


def test_a_value_that_cannot_be_stands_in_the_way(tmp_path: Path) -> None:
    path = site(tmp_path, sensor("main", 1, {"voltage": 'holding = 0, type = "float32", unit = "V"'}))
    reply = adu(1, pdu.REPLIES[3].build(function=3, data=bytes.fromhex("199a4366")))
    pieces = [(0.0, read(1, 0, 2)), (0.06, reply)]
    document = compared(tmp_path, path, pieces)
    assert document["is_ready"] is False
    assert document["verdict"][0] == (
        'main: voltage 1.6e-23 V is implausible; with order = "CDAB" it would be 230.1'
    )
    assert document["verdict"][-1].startswith("next: put that right, then compare again")
    assert "in doubt" in run(tmp_path, path, pieces)[1]


def test_a_value_outside_its_limits_is_said_to_have_none(tmp_path: Path) -> None:
    path = site(tmp_path, sensor("main", 1, {"a": "holding = 0", "b": "holding = 1, max = 5"}))
    document = compared(tmp_path, path, rounds(1, 5, 1.0))
    assert document["verdict"][0].startswith("main: b is read by the master, and has no value by this map")
    assert document["is_ready"] is False


def test_a_sensor_that_never_answers_and_one_that_refuses_are_told_apart(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        sensor("dead", 1, {"a": "holding = 0"}),
        sensor("strict", 2, {"a": "holding = 0"}),
        sensor("elsewhere", 3, {"a": "holding = 0"}),
        sensor("alone", 4, {"a": "holding = 0"}),
    )
    refusal = adu(2, bytes((0x83, 2)))
    pieces = [
        piece
        for at in range(5)
        for piece in (
            (4.0 * at, read(1, 0, 2)),
            (4.0 * at + 1, read(2, 0, 2)),
            (4.0 * at + 1.06, refusal),
            (4.0 * at + 2, read(3, 50, 2)),
            (4.0 * at + 2.06, answer(3, 50, 2)),
        )
    ]
    document = compared(tmp_path, path, pieces)
    verdict = document["verdict"]
    assert verdict[0] == "dead (address 1) was asked 5 times and never answered: is it still there?"
    assert verdict[1].startswith("strict (address 2) refused all that the master asked")
    assert verdict[2].startswith("elsewhere (address 3) answers, and nothing that site.toml names")
    assert "alone is never asked by this master, so nobody has seen it answer" in verdict
    assert document["sensors"]["strict"]["asked"]["refused"] == 5
    assert document["sensors"]["alone"]["asked"] is None


def test_writes_of_the_master_are_told_because_they_end_with_it(tmp_path: Path) -> None:
    path = site(tmp_path, sensor("main", 1, {"a": "holding = 0"}))
    body = pdu.REQUESTS[6].build(function=6, start=0, value=3)
    pieces = [*rounds(1, 3, 1.0), (5.0, adu(1, body)), (5.06, adu(1, body))]
    document = compared(tmp_path, path, pieces)
    assert document["sensors"]["main"]["asked"]["writes"] == 1
    assert any("the master writes to address 1 (once)" in said for said in document["verdict"])


def test_a_plan_that_does_not_fit_stands_in_the_way(tmp_path: Path) -> None:
    path = site(tmp_path, sensor("main", 1, {"a": "holding = 0"}, every="20ms"))
    document = compared(tmp_path, path, rounds(1, 3, 1.0))
    assert document["planned_share"] > 1
    assert any("of the wire's time: raise `every`" in said for said in document["verdict"])
    assert document["is_ready"] is False


def test_nothing_heard_is_a_failure_with_its_next_step(tmp_path: Path) -> None:
    path = site(tmp_path, sensor("main", 1, {"a": "holding = 0"}))
    status, text = run(tmp_path, path, [(0.0, b"\xff\x00"), (1.0, b"\x13")])
    assert status == 1
    assert text.splitlines()[-2:] == [
        "no frame of modbus-rtu was heard on bus meters",
        "next: is the master running? Compare protocol, baud rate and parity, then A and B",
    ]


@pytest.mark.parametrize(
    ("bus", "listen", "said"),
    [("cellar", True, 'there is no bus "cellar"'), ("meters", False, "write listen = true first")],
)
def test_only_a_bus_that_listens_is_compared(tmp_path: Path, bus: str, listen: bool, said: str) -> None:
    path = site(tmp_path, sensor("main", 1, {"a": "holding = 0"}), listen=listen)
    with pytest.raises(ConfigError, match=said):
        CliRunner().invoke(app, ["compare", bus, "--site", str(path)], catch_exceptions=False)


def test_a_quiet_line_without_faults_has_no_doubts(tmp_path: Path) -> None:
    quiet = Shares(*[0.0] * 11)
    registers = {f"r{at}": f"holding = {at}" for at in (*range(10), *range(20, 30))}
    path = site(tmp_path, *(sensor(f"unit{unit}", unit, registers) for unit in (1, 2)))
    pieces = list(Line(LineSettings(9600), 3, quiet, units=2).heard(400))
    document = compared(tmp_path, path, pieces)
    assert document["unpaired"] == {}
    assert document["noise_octets"] == 0
    assert document["is_ready"] is True
    assert [row["asked"]["unanswered"] for row in document["sensors"].values()] == [0, 0]


@pytest.mark.parametrize("bus", BUSES, ids=lambda bus: f"{bus.protocol} {[*bus.sensors[0]]}")
def test_every_protocol_that_listens_is_compared(bus: Bus, tmp_path: Path) -> None:
    pieces: Pieces = []
    truth: list[dict[str, Any]] = []
    for _ in range(3):
        truth = []
        for exchanges, values in bus.polled():
            truth.append(dict(values))
            for exchange in exchanges:
                pieces += [(len(pieces) / 5 + at / 10, octets) for at, octets in enumerate(exchange)]
    line = str(bus.kind.line or LineSettings(9600))
    path = tmp_path / "site.toml"
    blocks = []
    for number, keys in enumerate(bus.sensors):
        registers = keys.get("registers", {})
        rows = [f"{key} = {json.dumps(value)}" for key, value in keys.items() if key != "registers"]
        blocks.append(f'[[bus.meters.sensor]]\nname = "s{number}"\nevery = "10s"\n' + "\n".join(rows) + "\n")
        if registers:
            places = [f"{name} = {{ holding = {place['holding']} }}" for name, place in registers.items()]
            blocks.append("[bus.meters.sensor.registers]\n" + "\n".join(places) + "\n")
    path.write_text(site_head(protocol=bus.protocol, line=line, listen=True) + "".join(blocks))
    document = compared(tmp_path, path, pieces)
    for number, values in enumerate(truth):
        row = document["sensors"][f"s{number}"]
        read = {name: value for name, value in row["values"].items() if value["reads"]}
        assert {name: value["last"] for name, value in read.items()}.items() >= values.items()
        assert all(value["reads"] >= 2 for value in read.values())
    assert document["others"] == {}
    assert document["is_ready"] is True, document["verdict"]
    assert document["planned_share"] > 0
