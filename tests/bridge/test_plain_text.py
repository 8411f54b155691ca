"""No text from elsewhere steers a terminal, begins a line of its own or is read as markup."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import sqlite3
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from bridge.clock import Instant
from bridge.commands.enroll.enrolment import by_port
from bridge.commands.provision.provisioning import FAILED, Outcome
from bridge.commands.provision.view import _View
from bridge.commands.terminal.app import main
from bridge.config import load_site
from bridge.logs import PlainFormatter
from bridge.plain_text import folded, json_text, lines, one_line, visible
from bridge.spool import Reading, Spool
from bridge.status.runtime import Runtime
from tests.bridge.port.test_adapter import Sysfs

FORGED = "FORGED"
HOSTILE = f"x\x1b]0;t\x07\x1b[2J\x9b31m\x7f\u202e\u2066\u200b\u2028\r\n{FORGED} [/off] [bold]"
SITE = """
site = "[/barn]"
[thingsboard]
url = "coap://127.0.0.1:{port}"
[spool]
path = "{folder}/spool/spool.db"
[bus.meters]
adapter = "/dev/ttyS77"
protocol = "modbus-rtu"
line = "9600 8N1"
[[bus.meters.sensor]]
name = "pump [/off]"
address = 1
every = "10s"
model = "own"
[[bus.meters.sensor]]
name = "[old]"
address = 2
every = "10s"
registers = {{ "v" = {{ holding = 1, unit = {unit} }} }}
"""
MODEL = """
title = {hostile}
sources = [{hostile}]
note = {hostile}
[registers]
v = {{ holding = 0, unit = {hostile} }}
"""
TOML = json.dumps(HOSTILE).replace("\x7f", "\\u007f")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site every part of which says what it should not."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setenv("COLUMNS", "400")
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(port=9, folder=tmp_path, unit=TOML))
    (tmp_path / "models").mkdir()
    (tmp_path / "models/own.toml").write_text(MODEL.format(hostile=TOML))
    secrets = tmp_path / "credentials.toml"
    secrets.touch(mode=0o600)
    secrets.write_text('[sensors]\n"pump [/off]" = "A"\n')
    fill(tmp_path / "spool/spool.db")
    publish(Runtime(tmp_path / "spool/spool.db"))
    return path


def fill(path: Path) -> None:
    """Readings of two sensors, one of which no site could name; one of each is refused."""
    with closing(Spool.open(path)) as spool:
        for number, name in enumerate(("pump [/off]", "gone"), 1):
            body = json.dumps({"text": HOSTILE}, ensure_ascii=False).encode()
            stamp = 1_800_000_000_000 + number
            spool.add([Reading(name, Instant("boot", n), stamp + n, body, 1) for n in (1, 2)])
        for id_ in (1, 3):
            spool.refuse(id_, "4.00", HOSTILE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE sensor SET name = ? WHERE name = 'gone'", (HOSTILE,))


def publish(runtime: Runtime) -> None:
    last = {HOSTILE: HOSTILE, "b": "[/b]"}
    runtime.publish(
        "bus-meters",
        {
            "state": HOSTILE,
            "error": HOSTILE,
            "sensors": {"pump [/off]": {"state": HOSTILE, "last_ts": 1, "last_values": last}},
            "line": {"not_configured": {HOSTILE: {"telegrams": 1, "last_values": last}}},
        },
    )
    runtime.publish(
        "uplink",
        {
            "state": HOSTILE,
            "last_error": HOSTILE,
            "holds": {HOSTILE: {"reason": HOSTILE}},
            "slowed": {HOSTILE: {"values_per_s": 1, "since": 0, "reason": HOSTILE}},
        },
    )


COMMANDS = [
    ["check"],
    ["check", "--json"],
    ["status"],
    ["status", "--json"],
    ["models"],
    ["models", "own"],
    ["models", "own", "--json"],
    ["schema"],
    ["doctor"],
    ["doctor", "--json"],
    ["provision"],
    ["spool", "audit"],
    ["spool", "refused"],
    ["spool", "refused", "--json"],
    ["spool", "export"],
    ["spool", "retry", HOSTILE],
    ["spool", "retry", "nobody"],
    ["spool", "drop", HOSTILE, "--yes"],
    ["spool", "reassign", HOSTILE, "[old]"],
    ["spool", "reassign", "[old]", HOSTILE],
    ["spool", "salvage", HOSTILE],
    ["try", HOSTILE],
    ["try", "[old]"],
    ["read", HOSTILE],
    ["decode", "vedirect", (f"\r\nPID\t{HOSTILE}\r\nChecksum\t").encode().hex()],
    ["decode", "nmea0183", b"$IIXDR,C,\x1b[2J,C,\x9b\r\n".hex()],
    ["decode", "vedirect", (f"\r\nPID\t{HOSTILE}\r\nChecksum\t").encode().hex(), "--json"],
    ["decode", "modbus-rtu", HOSTILE],
    ["decode", "modbus-rtu", "00", "--model", HOSTILE],
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:30].encode("unicode_escape"))
def test_no_command_hands_control_characters_to_a_terminal(
    words: list[str], site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["serial-bridge", *words[:2], *words[2:], "--site", str(site)])
    if words[0] == "decode":
        monkeypatch.setattr(sys, "argv", ["serial-bridge", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = "".join(capfd.readouterr())
    assert_harmless(shown)
    assert "Traceback" not in shown
    assert ended.value.code in (0, 1, 2)


def assert_harmless(shown: str) -> None:
    assert shown
    assert {char for char in shown if not char.isprintable()} <= {"\n"}
    assert not any(line.lstrip().startswith(FORGED) for line in shown.splitlines())


def test_the_status_of_a_site_shows_every_name_as_it_is(
    site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["serial-bridge", "status", "--site", str(site)])
    with pytest.raises(SystemExit):
        main()
    shown = capfd.readouterr().out
    assert "pump [/off]" in shown
    assert "[old]" in shown
    assert f"{FORGED} [/off] [bold]" in shown


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        f'site = "{HOSTILE}"',
        f"site = {TOML}\n{TOML} = 1",
        f"[bus.{TOML}]\nadapter = {TOML}\nprotocol = {TOML}\nline = {TOML}",
        f"[thingsboard]\nurl = {TOML}\n[[bus.a.sensor]]\nname = {TOML}\n{TOML} = {{}}",
    ],
)
@pytest.mark.parametrize("command", ["check", "status", "enroll"])
def test_no_mistake_in_a_file_does(
    command: str,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "site.toml").write_text(text)
    words = ["serial-bridge", command, "--site", str(tmp_path / "site.toml")]
    monkeypatch.setattr(sys, "argv", [*words, "--port", "/dev/nothing"] if command == "enroll" else words)
    with pytest.raises(SystemExit):
        main()
    assert_harmless("".join(capfd.readouterr()))


def test_csv_on_a_terminal_is_harmless_and_in_a_file_it_is_whole(site: Path) -> None:
    from bridge.commands.spool.settle import export

    shown, kept = io.StringIO(), io.StringIO()
    export(load_site(site), None, "csv", shown, is_shown=True)
    export(load_site(site), None, "csv", kept)
    assert_harmless(shown.getvalue().replace("\r\n", "\n"))
    assert "\x1b" in kept.getvalue()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainFormatter("<%(levelno)s>%(message)s"))
    logger = logging.getLogger("bridge.hostile")
    logger.addHandler(handler)
    logger.propagate = False
    yield stream
    logger.removeHandler(handler)
    logger.propagate = True


def test_no_log_record_steers_a_terminal_or_forges_another(logged: io.StringIO) -> None:
    logger = logging.getLogger("bridge.hostile")
    logger.warning("the server says %s", f"{HOSTILE}\n<3>{FORGED}")
    error = ValueError(f"{HOSTILE}\n<3>{FORGED}")
    logger.error("failed", exc_info=error)
    shown = logged.getvalue()
    assert {char for char in shown if not char.isprintable()} <= {"\n"}
    assert [line[:4] for line in shown.splitlines() if not line.startswith("    ")] == ["<30>", "<40>"]


def test_an_error_that_nobody_foresaw_does_not_either(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys.modules[main.__module__], "app", fail)
    with pytest.raises(RuntimeError) as raised:
        main()
    sys.excepthook(RuntimeError, raised.value, raised.tb)
    shown = capfd.readouterr().err
    assert {char for char in shown if not char.isprintable()} <= {"\n"}
    assert "RuntimeError: x" in shown


def test_what_an_adapter_calls_itself_is_text(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    sysfs.usb("ttyUSB0", "1-1", "AB0JPQ7X")
    (device,) = (path.parent for path in tmp_path.rglob("serial"))
    (device / "product").write_text(HOSTILE)
    assert_harmless(one_line(by_port(Path("/dev/ttyUSB0"), sysfs.root)))


def test_what_a_server_says_of_a_device_is_text(site: Path, capfd: pytest.CaptureFixture[str]) -> None:
    view = _View(load_site(site), as_json=False)
    view.report(Outcome("pump [/off]", HOSTILE, FAILED, HOSTILE))
    view.end(site, HOSTILE)
    shown = "".join(capfd.readouterr())
    assert_harmless(shown)
    assert "pump [/off]" in shown


def test_text_is_made_harmless_and_nothing_else() -> None:
    assert one_line("°C µg/m³ — 温度 [x] \\") == "°C µg/m³ — 温度 [x] \\"
    assert one_line("a\tb\x00\ud800\u202e") == "a�b���"
    assert lines(["a\nb", 1]) == "a�b\n1"
    assert visible("a\r\nb\x1b") == "a�\nb�"


def test_json_keeps_every_character_and_escapes_what_is_not_printable() -> None:
    document = {"text": HOSTILE, "é": "温度 \U000e0001 \ud800"}
    for indent in (None, 2):
        text = json_text(document, indent=indent)
        assert json.loads(text) == document
        assert {char for char in text if not char.isprintable()} <= {"\n"}
        assert "é" in text
        assert "温度" in text


SENTENCE = 'bus meters: adapter "serial:AB0JPQ7X" is not there: plug in the adapter, then look again'


@pytest.fixture
def terminal() -> Iterator[Callable[[int], IO[str]]]:
    """Make a terminal of so many columns, and return the stream that a program would write to."""
    master, slave = os.openpty()
    stream = os.fdopen(slave, "w")

    def resized(columns: int) -> IO[str]:
        fcntl.ioctl(stream, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        return stream

    yield resized
    stream.close()
    os.close(master)


@pytest.mark.parametrize("columns", [40, 80])
def test_a_sentence_is_folded_at_words_to_the_terminal(
    columns: int, terminal: Callable[[int], IO[str]]
) -> None:
    rows = folded(SENTENCE, terminal(columns)).split("\n")
    assert len(rows) > 1
    assert max(map(len, rows)) <= columns
    assert [word for row in rows for word in row.split()] == SENTENCE.split()


def test_what_is_copied_is_not_folded(terminal: Callable[[int], IO[str]]) -> None:
    command = "sudo serial-bridge enroll meters --site /home/pi/sites/barn/site.toml"
    path = "/home/pi/sites/barn-7/" * 3
    assert folded(f"  {command}\nnext: {command}", terminal(40)) == f"  {command}\nnext: {command}"
    assert path in folded(f"{path} is missing", terminal(40))


def test_nothing_is_folded_where_no_width_is_known(
    terminal: Callable[[int], IO[str]], tmp_path: Path
) -> None:
    assert folded(SENTENCE, terminal(0)) == SENTENCE
    assert folded(SENTENCE, io.StringIO()) == SENTENCE
    assert folded(SENTENCE, None) == SENTENCE
    with (tmp_path / "output").open("w") as file:
        assert folded(SENTENCE, file) == SENTENCE
