"""What a person's shell does to a command: a full disk, a pipe that ends, a locale, a wrong file, Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from bridge.clock import Instant
from bridge.spool import Reading, Spool
from tests.support.typing_person import Person

SITE = """\
site = "barn"
[thingsboard]
url = "coap://127.0.0.1:1"
[spool]
path = "spool.db"
[bus.meters]
adapter = "/dev/ttyUSB99"
protocol = "modbus-rtu"
line = "9600 8N1"
[[bus.meters.sensor]]
name = "main-meter"
address = 1
every = "10s"
model = "eastron-sdm630"
"""
ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "line.pcapng").write_text("of last week")
    return tmp_path


def _run(
    *words: str,
    folder: Path,
    output: IO[bytes] | int = subprocess.PIPE,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a Python program, with its standard output in a file or in a pipe."""
    return subprocess.run(
        [sys.executable, *words],
        stdout=output,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("command", [["protocols"], ["models", "--json"], ["schema"], ["--help"]])
def test_a_full_disk_behind_the_output_is_one_sentence(command: list[str], folder: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = _run("-m", "bridge", *command, folder=folder, output=full)
    assert ended.returncode == 1
    assert ended.stderr.decode() == (
        "the output cannot be written (No space left on device): make room, or write to another disk\n"
    )


def test_tasks_side_by_side_end_quietly_when_nobody_reads_their_output(folder: Path) -> None:
    program = """
import asyncio
from bridge.commands.terminal import output
async def speak():
    while True:
        print("main-meter answers", flush=True)
        await asyncio.sleep(0)
async def both():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(speak())
        tasks.create_task(speak())
with output.system_errors():
    asyncio.run(both())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["simulate", "lines", "--capture", "nowhere.pcapng"], "nowhere.pcapng"),
        (["simulate", "site.toml"], "site.toml"),
        (["sniff", "--protocol", "modbus-rtu", "--read", "nowhere.pcapng"], "nowhere.pcapng"),
        (["decode", "modbus-rtu", "--capture", "nowhere.pcapng"], "nowhere.pcapng"),
        (["check", "--site", ""], "."),
        (["check", "--site", "site.toml/x"], "site.toml/x"),
        (["check", "--site", "n" * 300], "n" * 300),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(command: list[str], place: str, folder: Path) -> None:
    ended = _run(
        "-m", "bridge", *command, folder=folder, environment={"SERIAL_BRIDGE_SITE": str(folder / "site.toml")}
    )
    said = ended.stderr.decode()
    assert ended.returncode in (1, 2)
    assert said.startswith(place)
    assert "Traceback" not in said
    assert ": name " in said or "; name " in said or "name it with" in said


def test_a_question_that_nobody_can_answer_names_the_option(folder: Path) -> None:
    with closing(Spool.open(folder / "spool.db")) as spool:
        spool.add([Reading("main-meter", Instant("boot", 1), 1_800_000_000_000, b'{"v":1}', 1)])
    ended = _run("-m", "bridge", "spool", "drop", "main-meter", "--site", "site.toml", folder=folder)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines()[-1] == (
        "there is no terminal to ask on: give the answer as an option, which serial-bridge spool drop "
        "--help lists, such as --yes"
    )


def test_every_character_can_be_shown_whatever_the_locale(folder: Path) -> None:
    command = ["status", "--site", "site.toml"]
    piped = _run("-m", "bridge", *command, folder=folder, environment=ASCII)
    assert (piped.returncode, piped.stderr) == (0, b"")
    assert " · " in piped.stdout.decode("utf-8")
    with Person(*command, folder=folder, environment=ASCII) as person:
        assert person.ends() == 0
        assert " ? " in person.text


def test_ctrl_c_while_the_command_is_loaded_ends_it_quietly(folder: Path) -> None:
    program = """
import sys
class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
sys.argv = ["serial-bridge", "check"]
from bridge.__main__ import main
main()
"""
    ended = _run("-c", program, folder=folder)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")
