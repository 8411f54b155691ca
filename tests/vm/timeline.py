"""When each step from an adapter to the server was taken: seconds since the guest's kernel started.

    plugged ─▶ attached ─▶ device ─▶ started ─▶ ready ─▶ asked ─▶ spooled ─▶ delivered
    host       kernel      udev      systemd    reader   the line  the spool  the server

What the host sees is put on the guest's clock by the quickest of some answers of the guest. What the kernel
and systemd saw is asked for afterwards, so that looking costs the guest nothing while it is measured.
"""

from __future__ import annotations

import re
import time

from tests.vm.machine import Machine

_UPTIME = "read -r seconds _ < /proc/uptime; echo $seconds"
_ATTACHED = r"^\[ *([0-9.]+)\] usb ([-0-9.]+): .* now attached to tty"


async def host_to_guest_s(machine: Machine) -> float:
    """Return what is to be added to the host's `time.monotonic` for the guest's."""
    answers = []
    for _ in range(10):
        asked = time.monotonic()
        shown = float(await machine.run(_UPTIME))
        answered = time.monotonic()
        answers.append((answered - asked, shown - (asked + answered) / 2))
    return min(answers)[1]


async def attached(machine: Machine) -> list[float]:
    """Return when the kernel attached a tty to an adapter, each time since it started."""
    log = await machine.run("dmesg")
    return [float(line[1]) for line in re.finditer(_ATTACHED, log, re.MULTILINE)]


async def steps(machine: Machine, unit: str, *properties: str) -> list[float]:
    """Return when systemd took these steps with a unit, each named as its property `…TimestampMonotonic`."""
    asked = " ".join(f"-p {name}TimestampMonotonic" for name in properties)
    shown = dict(line.split("=") for line in (await machine.run(f"systemctl show {asked} {unit}")).split())
    return [int(shown[f"{name}TimestampMonotonic"]) / 1e6 for name in properties]
