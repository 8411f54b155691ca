"""Whether anything reads this site: until `install`, or `run`, nothing does."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.commands.doctor.finding import Finding, Machine, Severity
from bridge.commands.install.files import READER
from bridge.commands.install.machine import SYSTEMD
from bridge.config import Site
from bridge.status.runtime import Runtime


def check(site: Site, machine: Machine) -> Iterator[Finding]:
    """Yield a finding where systemd could run the services, and `install` never wrote them."""
    has_systemd, has_services = (
        (machine.root / path.relative_to("/")).exists() for path in (SYSTEMD, READER)
    )
    processes = Runtime(site.spool.path).processes().values()
    if has_systemd and not has_services and not any(process.get("running") for process in processes):
        yield Finding(
            "services",
            Severity.FAULT,
            "nothing reads the sensors yet: the services were never installed",
            "sudo serial-bridge install",
        )
