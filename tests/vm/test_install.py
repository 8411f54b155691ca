"""`serial-bridge install` and `uninstall` on a running machine: only what changed is touched."""

from __future__ import annotations

import pytest

from tests.vm.conftest import Installed, Note
from tests.vm.gateway import CONFIG, SPOOL, UPLINK, WHOSE, Gateway, site, unit

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
