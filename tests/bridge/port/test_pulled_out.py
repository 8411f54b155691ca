"""An adapter pulled out at every moment there is: the port says so, and is opened again when it is back."""

from __future__ import annotations

import asyncio
import os
import termios
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest
import serial

from bridge.errors import PortLost
from bridge.port import Port, State, serial_device
from bridge.port import port as port_module
from bridge.simulator.field.pty import Pty
from protocols.toolkit.polling import LineSettings

LINE = LineSettings(9600)
SOON_S = 0.2
WITHIN_S = 10.0
DURING_THE_OPENING = ("before", "opened", "set up", "handed over")


@pytest.fixture
def pty() -> Iterator[Pty]:
    pty = Pty()
    pty.plug()
    yield pty
    pty.close()


class Interrupted:
    """A coroutine to be awaited, with something done while it waits for the `at`-th time.

    Attributes:
        waits: how often it has waited so far.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], at: int, act: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._at = at
        self._act = act
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._coroutine.__await__()
        try:
            waited_for = steps.send(None)
            while True:
                if self.waits == self._at:
                    self._act()
                self.waits += 1
                try:
                    yield waited_for
                except BaseException as error:
                    waited_for = steps.throw(error)
                else:
                    waited_for = steps.send(None)
        except StopIteration:
            return


async def talk(port: Port, pty: Pty) -> None:
    """Open the port, have it write, read, change its settings, write more than fits, and close it."""
    loop = asyncio.get_running_loop()
    await port.open(str(pty.path), LINE)
    await port.write(b"?")
    answer = loop.call_later(0.01, pty.write, b"!")
    try:
        await port.read(loop.time() + 1.0)
    finally:
        answer.cancel()  # or it is heard on the adapter that is plugged in again
    await port.configure(LineSettings(300))
    loop.call_later(0.001, drain, pty)
    await port.write(bytes(200_000))
    await port.close()


def drain(pty: Pty) -> None:
    """Take what has come at the far end, again and again while it is plugged in."""
    if pty.fd is not None:
        pty.read()
        asyncio.get_running_loop().call_later(0.001, drain, pty)


async def works(port: Port, pty: Pty) -> None:
    """Ask something of a port that was lost, on the adapter plugged in again."""
    pty.plug()
    await port.open(str(pty.path), LINE)
    pty.write(b"back")
    assert await port.read(asyncio.get_running_loop().time() + WITHIN_S) == b"back"
    await port.close()
    assert port.state is State.CLOSED


async def test_a_port_survives_an_adapter_pulled_out_at_any_of_its_waits(pty: Pty) -> None:
    at = 0
    lost = 0
    while True:
        port = Port()
        talking = Interrupted(talk(port, pty), at, pty.unplug)
        try:
            async with asyncio.timeout(WITHIN_S):
                await talking
        except PortLost:
            lost += 1
            await port.close()
        if talking.waits <= at:
            break
        assert port.state in (State.CLOSED, State.LOST)
        await works(port, pty)
        at += 1
    assert lost >= 4, "while it opens, reads, changes settings and writes"


@pytest.mark.parametrize("moment", DURING_THE_OPENING)
async def test_an_adapter_pulled_out_while_it_is_opened_is_lost_and_opened_again(
    moment: str, pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    port = Port()
    with monkeypatch.context() as patched:
        pull_out_at(moment, pty, patched)
        with pytest.raises(PortLost):
            await open_and_read(port, pty)
        await port.close()
    await works(port, pty)
    pty.unplug()
    await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) <= descriptors  # noqa: PTH208


async def open_and_read(port: Port, pty: Pty) -> None:
    await port.open(str(pty.path), LINE)
    await port.read(asyncio.get_running_loop().time() + WITHIN_S)


def pull_out_at(moment: str, pty: Pty, patched: pytest.MonkeyPatch) -> None:
    """Have the adapter pulled out between two steps of an opening."""
    if moment == "before":
        pty.unplug()
    elif moment == "opened":
        compare = serial_device.compare_settings

        def pulled_out(descriptor: int, path: str, wanted: LineSettings) -> None:
            pty.unplug()
            compare(descriptor, path, wanted)
            raise termios.error(5, "Input/output error")  # what a USB driver says of what is gone

        patched.setattr(serial_device, "compare_settings", pulled_out)
    elif moment == "set up":
        opening = port_module.open_device

        def opened(*arguments: Any) -> serial_device.SerialDevice:
            device = opening(*arguments)
            pty.unplug()
            return device

        patched.setattr(port_module, "open_device", opened)
    else:
        reconfigure = serial.Serial._reconfigure_port

        def gone(device: serial.Serial, force_update: bool = False) -> None:
            if pty.fd is None or threading.current_thread() is threading.main_thread():
                pty.unplug()
                raise termios.error(5, "Input/output error")
            reconfigure(device, force_update)

        patched.setattr(serial.Serial, "_reconfigure_port", gone)


async def test_openings_that_hang_hold_up_no_other_port_and_are_few(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    opening = port_module.open_device

    def hang(path: str, *arguments: Any) -> serial_device.SerialDevice:
        if "hung" in path:
            released.wait(WITHIN_S)
            raise PortLost(f"{path} is not there")
        return opening(path, *arguments)

    monkeypatch.setattr(port_module, "open_device", hang)
    hung = [Port() for _ in range(64)]
    with monkeypatch.context() as hasty:
        hasty.setattr(port_module, "OPEN_TIMEOUT_S", SOON_S)
        opens = [port.open(f"/dev/hung{number}", LINE) for number, port in enumerate(hung)]
        waiting = [asyncio.create_task(each) for each in opens]
        await asyncio.sleep(0)
    healthy = Port()
    await healthy.open(str(pty.path), LINE)
    assert healthy.state is State.READY
    await healthy.close()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(
        isinstance(outcome, PortLost) and "does not open (not within" in str(outcome) for outcome in outcomes
    )
    with monkeypatch.context() as hasty:
        hasty.setattr(port_module, "OPEN_TIMEOUT_S", SOON_S)
        for _ in range(2):
            with pytest.raises(PortLost, match=r"does not open \(not within"):
                await hung[0].open("/dev/hung0", LINE)
    before = threading.active_count()
    with pytest.raises(PortLost, match=r"does not open \(it hangs\): unplug the adapter"):
        await hung[0].open("/dev/hung0", LINE)
    assert threading.active_count() <= before
    released.set()
    while any(not opening.done() for opening in hung[0]._hung):  # noqa: ASYNC110 - threads have no event
        await asyncio.sleep(0.01)
    await hung[0].open(str(pty.path), LINE)
    await hung[0].close()


def test_a_device_that_is_closed_while_its_settings_change_is_lost(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = serial_device.open_device(str(pty.path), LINE, None)
    changed = device.apply_settings

    def change_and_close(settings: dict[str, Any]) -> None:
        changed(settings)
        device.close()  # as the loop does, in its own thread, when the adapter is pulled out

    monkeypatch.setattr(device, "apply_settings", change_and_close)
    with pytest.raises(PortLost):
        serial_device.change_settings(device, LineSettings(300))
