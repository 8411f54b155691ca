"""What the readers say of their sensors: those that are silent, refuse, or do not give all their values."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from bridge.commands.doctor.finding import Finding, Machine, Severity
from bridge.config import Site
from bridge.status.runtime import Runtime

AREA = "sensors"

_FAULTS = ("silent", "refusing", "failed")


def check(site: Site, machine: Machine) -> Iterator[Finding]:
    """Yield a finding for each sensor with which something is wrong, as its reader says it now."""
    readers = Runtime(site.spool.path).buses()
    for bus in site.buses.values():
        reader = readers.get(bus.name)
        if reader is None or not reader["running"]:
            continue
        for sensor in bus.sensors:
            row = reader["sensors"].get(sensor.name, {})
            trouble = row.get("trouble")
            is_only_slow = row.get("state") == "ok" and row.get("learned", {}).get("is_slow", False)
            if trouble and not is_only_slow:
                severity = Severity.FAULT if row["state"] in _FAULTS else Severity.RISK
                fix = f"sudo serial-bridge try {quote(sensor.name)}"
                yield Finding(AREA, severity, f"{sensor.name} {trouble}", fix)
