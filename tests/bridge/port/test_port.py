"""The port on real pseudo terminals. What they cannot do, RS-485, is tested down to the bytes of the call."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.config import RS485
from bridge.errors import PortLost
from bridge.port import CLOSE_TIMEOUT_S, Port, State, serial_device
from bridge.simulator.field.pty import Pty
from protocols.toolkit.polling import LineSettings

LINE = LineSettings(9600)
WITHIN_S = 10.0  # long enough for a loaded machine; nothing here waits so long


@pytest.fixture
def pty() -> Iterator[Pty]:
    pty = Pty()
    pty.plug()
    yield pty
    pty.close()


def soon() -> float:
    return asyncio.get_running_loop().time() + WITHIN_S


async def until(claim: Callable[[], bool]) -> None:
    """Let the loop run until the claim holds."""
    async with asyncio.timeout(WITHIN_S):
        while not claim():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0)


async def heard(pty: Pty, count: int) -> bytes:
    """Return what arrives at the far end, once it is so much."""
    data = b""
    async with asyncio.timeout(WITHIN_S):
        while len(data) < count:
            data += pty.read()
            await asyncio.sleep(0)
    return data


async def test_bytes_go_both_ways(pty: Pty) -> None:
    port = Port()
    await port.open(str(pty.path), LINE)
    assert port.state is State.READY
    await port.write(bytes(range(256)))
    assert await heard(pty, 256) == bytes(range(256))
    pty.write(b"\x00\x11\x13\x0d\x0a\xff")
    assert await port.read(soon()) == b"\x00\x11\x13\x0d\x0a\xff"
    await port.close()
    assert port.state is State.CLOSED


async def test_read_returns_nothing_at_its_deadline(pty: Pty) -> None:
    port = Port()
    await port.open(str(pty.path), LINE)
    assert await port.read(asyncio.get_running_loop().time() + 0.01) == b""
    assert await port.read(0.0) == b""
    await port.close()


async def test_an_unplugged_port_is_lost_for_who_reads_and_for_who_writes(pty: Pty) -> None:
    port = Port()
    await port.open(str(pty.path), LINE)
    reading = asyncio.create_task(port.read(soon()))
    await asyncio.sleep(0)
    pty.unplug()
    with pytest.raises(PortLost, match="was unplugged or failed"):
        await reading
    assert port.state is State.LOST
    with pytest.raises(PortLost):
        await port.write(b"?")
    with pytest.raises(PortLost):
        await port.read(soon())
    await port.close()


async def test_a_write_finds_the_loss_by_itself(pty: Pty) -> None:
    port = Port()
    await port.open(str(pty.path), LINE)
    pty.unplug()
    with pytest.raises(PortLost):
        await port.write(b"?")
    await port.close()


async def test_what_came_before_the_loss_is_still_read(pty: Pty) -> None:
    port = Port()
    await port.open(str(pty.path), LINE)
    pty.write(b"last words")
    await until(lambda: bool(port._inbox.data))
    pty.unplug()
    await until(lambda: port.state is State.LOST)
    assert await port.read(soon()) == b"last words"
    with pytest.raises(PortLost):
        await port.read(soon())
    await port.close()


async def test_a_port_is_opened_again_after_it_was_lost(pty: Pty) -> None:
    port = Port()
    for _ in range(3):
        await port.open(str(pty.path), LINE)
        pty.unplug()
        with pytest.raises(PortLost):
            await port.read(soon())
        pty.plug()
    await port.open(str(pty.path), LINE)
    await port.write(b"back")
    assert await heard(pty, 4) == b"back"
    await port.close()


async def test_closing_a_port_with_stuck_output_does_not_wait_for_it(pty: Pty) -> None:
    port = Port()
    await port.open(str(pty.path), LINE)
    writing = asyncio.create_task(port.write(bytes(1_000_000)))  # nobody reads at the far end
    await asyncio.sleep(0.05)
    assert not writing.done()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await port.close()
    assert loop.time() - begun < CLOSE_TIMEOUT_S + 1.0
    with pytest.raises(PortLost):
        await writing


async def test_a_device_that_takes_no_output_is_lost(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.port.port.WRITE_TIMEOUT_S", 0.05)
    port = Port()
    await port.open(str(pty.path), LINE)
    with pytest.raises(PortLost, match="takes no output"):
        await port.write(bytes(1_000_000))
    await port.close()


async def test_an_open_port_goes_on_with_other_settings(pty: Pty) -> None:
    port = Port()
    await port.open(str(pty.path), LINE)
    slow = LineSettings(300, 7, "E", 1)
    await port.configure(slow)
    assert port.settings == slow
    with pty.path.open("rb", buffering=0) as device:
        assert termios.tcgetattr(device)[4] == termios.B300
    await port.write(b"/?!")
    assert await heard(pty, 3) == b"/?!"
    pty.unplug()
    with pytest.raises(PortLost):
        await port.configure(LINE)
    await port.close()


async def test_closing_twice_and_never_opening_are_harmless(pty: Pty) -> None:
    port = Port()
    await port.close()
    with pytest.raises(PortLost, match="not open"):
        await port.write(b"?")
    await port.open(str(pty.path), LINE)
    await port.close()
    await port.close()


async def test_a_missing_device_is_named_with_the_next_step() -> None:
    with pytest.raises(PortLost, match=r"^/dev/ttyNONE is not there: plug in the adapter$"):
        await Port().open("/dev/ttyNONE", LINE)


async def test_what_is_no_serial_device_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in ("/dev/null", str(tmp_path / "file"), str(tmp_path)):
        with pytest.raises(PortLost, match="is not a serial device"):
            await Port().open(path, LINE)


LOCKER = """
import fcntl, sys
port = open(sys.argv[1])
fcntl.flock(port, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locker(pty: Pty) -> Iterator[int]:
    """Another program that uses the pty; its process id."""
    command = [sys.executable, "-c", LOCKER, str(pty.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        yield other.pid
        other.communicate()


async def test_a_port_used_by_another_program_names_it(pty: Pty, locker: int) -> None:
    with pytest.raises(PortLost, match=rf"used by another program \(process {locker} python.*\): stop it$"):
        await Port().open(str(pty.path), LINE)


async def test_two_ports_cannot_share_a_device(pty: Pty) -> None:
    first, second = Port(), Port()
    await first.open(str(pty.path), LINE)
    with pytest.raises(PortLost, match="is used by another program"):
        await second.open(str(pty.path), LINE)
    await first.close()
    await second.open(str(pty.path), LINE)
    await second.close()


async def test_a_forbidden_device_tells_which_group_to_join(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(serial_device, "SerialDevice", refuse)  # the tests may run as root
    with pytest.raises(PortLost, match=f"permission denied: add the user to group {pty.path.group()}$"):
        await Port().open(str(pty.path), LINE)


async def test_a_pty_is_opened_as_8n1_and_the_log_says_so(pty: Pty, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="bridge")
    port = Port()
    await port.open(str(pty.path), LineSettings(19200, 8, "E", 1))
    assert [record.getMessage() for record in caplog.records] == [
        f"{pty.path} is a pseudo terminal: opened as 8N1, not as 19200 8E1"
    ]
    await port.close()


async def test_what_the_kernel_holds_is_known_before_it_is_read(pty: Pty) -> None:
    port = Port()
    assert not port.has_input()
    await port.open(str(pty.path), LINE)
    assert not port.has_input()
    pty.write(b"abc")
    while not port.has_input():  # the kernel hands it over in a moment, and nobody reads meanwhile
        time.sleep(0.001)  # noqa: ASYNC251
    before = asyncio.get_running_loop().time()
    assert await port.read(before + 5) == b"abc"
    assert before <= port.heard_at <= asyncio.get_running_loop().time()
    assert not port.has_input()
    await port.close()


RS485_WISH = RS485(
    rts_on_send=True, rts_after_send=False, delay_before_send_s=0.001, delay_after_send_s=0.002
)


async def test_a_driver_without_rs485_is_used_all_the_same(
    pty: Pty, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="bridge")
    port = Port()
    await port.open(str(pty.path), LINE, RS485_WISH)
    assert [record.levelname for record in caplog.records if "RS-485" in record.getMessage()] == ["INFO"]
    await port.write(b"works")
    assert await heard(pty, 5) == b"works"
    await port.close()


@pytest.mark.parametrize("is_kept", [True, False])
async def test_rs485_is_asked_for_as_linux_serial_h_says_and_read_back(
    pty: Pty, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_kept: bool
) -> None:
    calls: list[tuple[int, bytes]] = []

    def ioctl(descriptor: int, request: int, argument: bytes = b"", *more: object) -> object:
        if request not in (0x542E, 0x542F):  # TIOCGRS485, TIOCSRS485: asm-generic/ioctls.h
            return fcntl.ioctl(descriptor, request, argument, *more)  # type: ignore[call-overload]
        calls.append((request, bytes(argument)))
        return calls[0][1] if is_kept else bytes(32)

    monkeypatch.setattr(serial_device, "ioctl", ioctl)
    port = Port()
    await port.open(str(pty.path), LINE, RS485_WISH)
    await port.close()
    assert [request for request, _ in calls] == [0x542F, 0x542E]
    flags, before_ms, after_ms = (int.from_bytes(calls[0][1][at : at + 4], sys.byteorder) for at in (0, 4, 8))
    assert (flags, before_ms, after_ms) == (0b011, 1, 2)  # SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND
    warned = any("RS-485 mode differs" in record.getMessage() for record in caplog.records)
    assert warned is not is_kept


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_no_descriptor_is_left_open(pty: Pty) -> None:
    port = Port()
    await port.open(str(pty.path), LINE)  # whatever the loop itself opens is open now
    await port.close()
    before = open_descriptors()
    for _ in range(3):
        await port.open(str(pty.path), LINE)
        await port.close()
        with pytest.raises(PortLost):
            await port.open("/dev/null", LINE)
    assert open_descriptors() == before
