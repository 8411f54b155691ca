"""`doctor`: find what keeps readings from being taken or delivered, and one command that mends each.

The checks change nothing. They need no running service and disturb none. Without root some are skipped, and
the output lists these.

    port          present, the right one, allowed, free      usb      drivers, shared serial numbers
    conflicts     programs that want the port too            clock    synchronized, or vouched for
    kernel_log    resets, interference, undervoltage         spool    limit, disk, rights
    credentials   correct, and private                       uplink   DNS, UDP, DTLS
    sensors       silent, refusing, or not whole, as their readers say
    services      installed at all
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge import plain_text
from bridge.commands.doctor import (
    clock,
    conflicts,
    credentials,
    kernel_log,
    port,
    sensors,
    services,
    spool,
    uplink,
    usb,
)
from bridge.commands.doctor.finding import Finding, Machine, Severity
from bridge.commands.terminal.in_force import edits
from bridge.commands.terminal.next_step import command
from bridge.config import Site
from bridge.release import VERSION

SITE_AREA = "site"

__all__ = ["Finding", "Machine", "Severity", "as_json", "examine", "text", "wrong"]


async def examine(site: Site, credentials_path: Path, machine: Machine) -> list[Finding]:
    """Run every check; return the findings in the order of a reading's way, from adapter to server."""
    findings = [*services.check(site, machine), *machine_findings(site, machine)]
    findings += credentials.check(site, credentials_path)
    findings += await uplink.check(site, credentials.load(site, credentials_path))
    return [_for_site(finding, site.path) for finding in findings]


def machine_findings(site: Site, machine: Machine) -> list[Finding]:
    """Return the findings that need neither a credential nor the network."""
    findings = [_not_in_force(sentence) for sentence in edits(site)]
    for area in (usb, port, conflicts, kernel_log, sensors, clock, spool):
        findings += area.check(site, machine)
    return findings


def _not_in_force(sentence: str) -> Finding:
    """Return the finding of an edit that is not in force; its sentence says the command that mends it."""
    return Finding(SITE_AREA, Severity.FAULT, sentence, "sudo serial-bridge install")


def wrong(findings: list[Finding]) -> list[Finding]:
    """Return the findings, without checks skipped for lack of permission."""
    return [finding for finding in findings if finding.severity is not Severity.UNSEEN]


def text(findings: list[Finding]) -> str:
    """Return, for people, the version, each finding with its command, then the checks that were skipped."""
    lines = [finding.sentence for finding in findings if finding.area == SITE_AREA]
    lines.append(f"serial-bridge {VERSION}")
    for finding in wrong(findings):
        if finding.area == SITE_AREA:
            continue
        lines += [f"{finding.severity.value}: {finding.sentence}", f"  {finding.fix}"]
    if not wrong(findings):
        lines.append("nothing wrong was found")
    if unseen_things := [finding.sentence for finding in findings if finding.severity is Severity.UNSEEN]:
        lines.append(f"not seen: {', '.join(unseen_things)}; run it with sudo to see these too")
    return plain_text.lines(lines)


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """Return the findings for programs: the document of `doctor --json`."""
    return {
        "version": VERSION,
        "findings": [
            {
                "area": finding.area,
                "severity": finding.severity.value,
                "sentence": finding.sentence,
                "fix": finding.fix,
            }
            for finding in wrong(findings)
        ],
        "unseen": [finding.sentence for finding in findings if finding.severity is Severity.UNSEEN],
    }


def _for_site(finding: Finding, site: Path) -> Finding:
    """Return the finding; if its fix is a command of the bridge, that names the site."""
    if finding.fix.removeprefix("sudo ").startswith("serial-bridge "):
        return replace(finding, fix=command(finding.fix, site))
    return finding
