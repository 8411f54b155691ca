"""`doctor`: what keeps readings from being taken or delivered, and one command for each.

It looks, and changes nothing. It needs no running service and disturbs none. Without root it sees less, and
says what.

    port          there, the right one, allowed, free        usb      drivers, two of one serial number
    rivals        programs that want the port too            clock    synchronized, or vouched for
    kernel_log    resets, interference, undervoltage         spool    limit, disk, rights
    credentials   right, and nobody else's to read           uplink   DNS, UDP, DTLS
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge import plain_text
from bridge.commissioning.doctor import clock, credentials, kernel_log, port, rivals, spool, uplink, usb
from bridge.commissioning.doctor.finding import Finding, Machine, Severity
from bridge.commissioning.next_step import command
from bridge.config import Site
from bridge.release import VERSION

__all__ = ["Finding", "Machine", "Severity", "as_json", "examine", "text", "wrong"]


async def examine(site: Site, credentials_path: Path, machine: Machine) -> list[Finding]:
    """Everything there is to say, in the order of a reading's way."""
    found: list[Finding] = []
    for area in (usb, port, rivals, kernel_log, clock, spool):
        found += area.check(site, machine)
    found += credentials.check(site, credentials_path)
    found += await uplink.check(site, credentials.load(site, credentials_path))
    return [_for_site(finding, site.path) for finding in found]


def wrong(found: list[Finding]) -> list[Finding]:
    """Without what could only not be seen."""
    return [finding for finding in found if finding.severity is not Severity.UNSEEN]


def text(found: list[Finding]) -> str:
    """For people: the version, each finding with its command, then what was not seen."""
    lines = [f"serial-bridge {VERSION}"]
    for finding in wrong(found):
        lines += [f"{finding.severity.value}: {finding.sentence}", f"  {finding.fix}"]
    if not wrong(found):
        lines.append("nothing wrong was found")
    if unseen := [finding.sentence for finding in found if finding.severity is Severity.UNSEEN]:
        lines.append(f"not seen: {', '.join(unseen)}; run it with sudo to see these too")
    return plain_text.lines(lines)


def as_json(found: list[Finding]) -> dict[str, Any]:
    """For programs."""
    return {
        "version": VERSION,
        "findings": [
            {
                "area": finding.area,
                "severity": finding.severity.value,
                "sentence": finding.sentence,
                "fix": finding.fix,
            }
            for finding in wrong(found)
        ],
        "unseen": [finding.sentence for finding in found if finding.severity is Severity.UNSEEN],
    }


def _for_site(finding: Finding, site: Path) -> Finding:
    """The finding; where a command of the bridge mends it, that command names the site."""
    if finding.fix.removeprefix("sudo ").startswith("serial-bridge "):
        return replace(finding, fix=command(finding.fix, site))
    return finding
