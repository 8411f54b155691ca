"""`serial-bridge install` and `uninstall` on a running machine: only what changed is touched."""

from __future__ import annotations

from statistics import median

import pytest

from tests.vm.conftest import Installed, Note
from tests.vm.gateway import CONFIG, SPOOL, UPLINK, WHOSE, Gateway, site, unit
from tests.vm.timeline import steps

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


async def test_installing_touches_what_changed_and_uninstalling_leaves_data(
    installed: Installed, gateway: Gateway, note: Note
) -> None:
    def told(command: str, output: str) -> None:
        note("\n    ".join([f"{command}:", *output.splitlines()]))

    services = [*map(unit, WHOSE), UPLINK]
    await gateway.plug(*WHOSE)
    await gateway.next_reading(*WHOSE)
    first = [await gateway.main_pid(service) for service in services]
    told("install, again", await gateway.machine.run("serial-bridge install"))
    assert [await gateway.main_pid(service) for service in services] == first

    meters, _, tanks = site(installed.port).rpartition("1s")
    told("install, after an edit of tanks", await gateway.configure(f"{meters}2s{tanks}"))
    await gateway.next_reading(*WHOSE)
    second = [await gateway.main_pid(service) for service in services]
    assert [a == b for a, b in zip(first, second, strict=True)] == [True, False, True]

    told("uninstall", await gateway.machine.run("serial-bridge uninstall"))
    assert [await gateway.main_pid(service) for service in services] == [0, 0, 0]
    left = await gateway.machine.run("find /etc /run/systemd /dev -name '*s*bridge*' -not -path '/dev/pts*'")
    assert left == CONFIG
    assert await gateway.machine.holds(
        f"test -s {CONFIG}/site.toml -a -s {CONFIG}/credentials.toml -a -s {SPOOL}"
    )

    told("install, afresh", await gateway.machine.run("serial-bridge install"))
    await gateway.next_reading(*WHOSE)


async def test_a_program_that_its_installer_left_uncompiled_starts_as_soon_as_a_compiled_one(
    gateway: Gateway, note: Note
) -> None:
    machine = gateway.machine
    await gateway.plug("meters")
    await gateway.next_reading("meters")
    await machine.run("find /opt/serial-bridge/lib -name __pycache__ -prune -exec rm -r {} +")
    uncompiled_s = [await _start_s(gateway) for _ in range(3)]
    await machine.run("serial-bridge install")
    compiled_s = [await _start_s(gateway) for _ in range(3)]
    note(
        f"a reader's start until it is ready, median of 3: {median(uncompiled_s):.1f} s with no bytecode, "
        f"{median(compiled_s):.1f} s after `serial-bridge install`"
    )
    assert median(compiled_s) < 0.8 * median(uncompiled_s)


async def _start_s(gateway: Gateway) -> float:
    """Restart the reader; the seconds until it is ready."""
    await gateway.machine.run(f"systemctl restart {unit('meters')}")
    started, ready = await steps(gateway.machine, unit("meters"), "ExecMainStart", "ActiveEnter")
    return ready - started
