"""What systemd watches over, and what it lets the services do."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from tests.support.certificates import Authority
from tests.vm.conftest import Installed, Note
from tests.vm.gateway import CONFIG, TOKENS, UPLINK, WHOSE, Gateway, site, unit
from tests.vm.machine import HOST

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

WATCHDOG_WITHIN_S = 120.0
EXPOSURE = 1.5


async def test_a_wedged_reader_is_restarted_and_nobody_else_notices(gateway: Gateway, note: Note) -> None:
    await gateway.plug(*WHOSE)
    await gateway.next_reading(*WHOSE)
    services = unit("meters"), unit("tanks"), UPLINK
    before = {service: await gateway.main_pid(service) for service in services}
    seen = len(gateway.lines["tanks"].served)
    await gateway.machine.run(f"kill -STOP {before[unit('meters')]}")
    wedged = gateway.said("meters")
    took_s = await gateway.until(lambda: gateway.said("meters") > wedged + 1, WATCHDOG_WITHIN_S)
    await gateway.next_reading(*WHOSE)
    after = {service: await gateway.main_pid(service) for service in services}
    assert {service for service in services if before[service] != after[service]} == {unit("meters")}
    assert "atchdog timeout" in await gateway.machine.run(f"journalctl -b --no-pager -u {unit('meters')}")
    served = [one.at for one in gateway.lines["tanks"].served[seen:]]
    longest_s = max(b - a for a, b in pairwise(served))
    note(
        f"reader stopped by SIGSTOP: asks its sensor again after {took_s:.1f} s, restarted by the watchdog; "
        f"meanwhile the other bus never paused for more than {longest_s:.1f} s of its 1 s grid"
    )
    assert longest_s < 4


async def test_the_services_deliver_over_dtls_under_their_hardening(
    installed: Installed, gateway: Gateway, tmp_path: Path, note: Note
) -> None:
    await gateway.server.stop()
    authority = Authority(tmp_path)
    own = authority.issue("server", [HOST])
    secure = StandIn(TOKENS.values(), secure=Secure(own.certificate, own.key, {}))
    await secure.start(port=installed.port)
    gateway.server = secure
    try:
        await gateway.machine.write(f"{CONFIG}/ca.pem", authority.path.read_text())
        await gateway.configure(site(installed.port, scheme="coaps", keys='ca = "ca.pem"\n'))
        await gateway.plug(*WHOSE)
        await gateway.next_reading(*WHOSE)
        for service in (unit("meters"), UPLINK):
            shown = await gateway.machine.run(
                f"systemctl show -P MemoryDenyWriteExecute -P NoNewPrivileges -P User {service}"
            )
            assert "no" not in shown.split(), shown
            assert "root" not in shown.split()
            said = await gateway.machine.run(f"systemd-analyze security --no-pager {service} | tail -1")
            exposure = float(re.findall(r"\d+\.\d+", said)[-1])
            note(f"systemd-analyze security {service}: {exposure} (at most {EXPOSURE}), delivering over DTLS")
            assert exposure <= EXPOSURE
    finally:
        await secure.stop()
