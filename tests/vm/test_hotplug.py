"""Adapters plugged, pulled, moved and swapped under a real kernel, udev and systemd: always the right bus.

Readings are taken once a second, and a spool is committed every two; the machine is emulated, some ten times
slower than what it stands for.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.vm.conftest import Installed, Note
from tests.vm.gateway import UPLINK, WHOSE, Gateway, site, unit

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

SWAPS = 20
FLAPS = 10


async def test_a_pulled_adapter_stops_its_bus_and_the_uplink_delivers_on(
    gateway: Gateway, note: Note
) -> None:
    await gateway.plug("meters")
    await gateway.next_reading("meters")
    gateway.server.cut()
    queued_from = gateway.said("meters")
    await gateway.until(lambda: gateway.said("meters") >= queued_from + 20)
    await asyncio.sleep(3)  # until it is committed
    began = time.monotonic()
    await gateway.unplug("meters")
    await gateway.stopped("meters")
    note(f"unplug → the bus's service has stopped: {time.monotonic() - began:.1f} s")
    before = len(gateway.arrived("meters"))
    gateway.server.restore()
    drained_s = await gateway.until(lambda: len(gateway.arrived("meters")) >= before + 20)
    note(f"… and the queue of 20 s delivered {drained_s:.1f} s after the server is back, the adapter out")
    assert await gateway.machine.holds(f"systemctl is-active -q {UPLINK}")


async def test_an_adapter_with_a_serial_number_keeps_its_bus_in_any_socket_and_order(
    gateway: Gateway, note: Note
) -> None:
    slowest_s = 0.0
    swapped = 0
    for cycle in range(SWAPS):
        buses = [*WHOSE] if cycle % 2 else [*reversed(WHOSE)]
        await gateway.plug(*buses, ports={buses[0]: 1 + cycle % 8, buses[1]: 1 + (cycle + 3) % 8})
        slowest_s = max(slowest_s, await gateway.next_reading(*buses))
        swapped += await gateway.machine.run("readlink -f /dev/sbridge/meters") == "/dev/ttyUSB1"
        await gateway.unplug(*buses)
        for bus in buses:
            await gateway.stopped(bus)
    assert 0 < swapped < SWAPS
    assert gateway.unassigned() == 0
    note(
        f"{SWAPS} replugs of two adapters into other sockets, the kernel's names swapped in {swapped}: "
        f"0 wrong buses; plug → both at the server: at most {slowest_s:.1f} s"
    )


async def test_a_flapping_contact_ends_with_a_running_bus(gateway: Gateway, note: Note) -> None:
    for _ in range(FLAPS):
        await gateway.plug("meters")
        await asyncio.sleep(0.5)
        await gateway.unplug("meters")
        await asyncio.sleep(0.5)
    await gateway.plug("meters")
    took_s = await gateway.next_reading("meters", within_s=120)
    note(f"{FLAPS} plugs and unplugs in {FLAPS} s, then in: a reading at the server after {took_s:.1f} s")
    assert await gateway.machine.run("systemctl list-jobs --no-legend") == ""


async def test_adapters_without_a_serial_number_are_told_apart_by_their_sockets(
    installed: Installed, gateway: Gateway, note: Note
) -> None:
    sockets = {bus: f"path:pci-0000:00:06.0-usb-0:{port}:1.0" for port, bus in enumerate(WHOSE, 1)}
    await gateway.configure(site(installed.port, adapters=sockets))
    for buses in ([*WHOSE], [*reversed(WHOSE)]):
        await gateway.plug(*buses, has_serial=False)
        await gateway.next_reading(*buses)
        await gateway.unplug(*buses)
        for bus in buses:
            await gateway.stopped(bus)
    assert gateway.unassigned() == 0
    note("two equal adapters without serial numbers, plugged in both orders: 0 wrong buses")


async def test_an_adapter_that_comes_back_while_its_service_still_stops_is_read_again(
    gateway: Gateway, note: Note
) -> None:
    await gateway.machine.write(
        "/etc/systemd/system/serial-bridge@.service.d/slow.conf",
        "[Service]\nExecStopPost=/bin/sleep 6\nTimeoutStopSec=10\n",
    )
    await gateway.machine.run("systemctl daemon-reload")
    await gateway.plug("meters")
    await gateway.next_reading("meters")
    took = []
    for _ in range(5):
        await gateway.unplug("meters")
        await gateway.machine.until(f"systemctl show -P ActiveState {unit('meters')} | grep -q ^deactivating")
        await gateway.plug("meters")
        assert not await gateway.machine.holds(f"systemctl is-active -q {unit('meters')}")
        took.append(await gateway.next_reading("meters"))
    note(f"replug during a stop of 6 s: runs again by itself, {len(took)} of 5; {max(took):.1f} s at most")
