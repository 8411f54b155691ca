"""Each bus's port: present, the right one, allowed, and held by no other program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from bridge.causes import Cause, Diagnosis, diagnosis
from bridge.commands.doctor.finding import SERVICE_USER, Finding, Machine, Severity, group_of
from bridge.config import Bus, Site
from bridge.errors import PortLost
from bridge.port.adapter import adapters, find_adapter
from bridge.port.holders import Process, holders
from bridge.port.identity import refusal
from bridge.status.runtime import Runtime

AREA = "port"


def check(site: Site, machine: Machine) -> Iterator[Finding]:
    """Yield what keeps a bus from its port."""
    own_pids = Runtime(site.spool.path).running_pids()
    for bus in site.buses.values():
        yield from _bus(bus, machine, own_pids)
    if os.geteuid() != 0 and site.buses:
        yield Finding(AREA, Severity.UNSEEN, "which programs of other users hold a port", "")


def ports(site: Site, machine: Machine) -> dict[str, Path]:
    """Return the device file of each bus that has one now, links followed."""
    devices = {}
    for bus in site.buses.values():
        try:
            device = Path(find_adapter(bus.adapter, machine.sysfs))
        except PortLost:
            continue
        if bus.adapter.startswith(("serial:", "path:")) or device.exists():
            devices[bus.name] = device.resolve()
    return devices


def _bus(bus: Bus, machine: Machine, own_pids: set[int]) -> Iterator[Finding]:
    enroll = f"sudo serial-bridge enroll {bus.name}"
    if flaw := refusal(bus.adapter, list(adapters(machine.sysfs))):
        yield Finding(AREA, Severity.FAULT, f"bus {bus.name}: {flaw}", enroll)
        return
    try:
        device = Path(find_adapter(bus.adapter, machine.sysfs)).resolve()
    except PortLost as lost:
        yield Finding(AREA, Severity.FAULT, f"bus {bus.name}: {lost}", enroll)
        return
    try:
        is_allowed = machine.user.may(device, os.R_OK | os.W_OK)
    except OSError:
        yield _fault(bus, device, diagnosis(Cause.PORT_GONE), enroll)
        return
    if not is_allowed:
        group, user_name = group_of(device), machine.user.name
        # No program of ours should be in the group root: a udev rule gives the port another one.
        is_ours_to_set = user_name == SERVICE_USER or group == "root"
        join = f"sudo usermod -aG {quote(group)} {quote(user_name)}"
        fix = "sudo serial-bridge install" if is_ours_to_set else join
        denial = diagnosis(Cause.PORT_FORBIDDEN, f"to user {user_name}", f"it is for group {group}")
        yield _fault(bus, device, denial, fix)
    for process in holders(device, machine.procfs):
        if process.pid not in own_pids and process.unit != f"serial-bridge@{bus.name}.service":
            yield _held(bus, device, process)


def _held(bus: Bus, device: Path, process: Process) -> Finding:
    held = diagnosis(Cause.PORT_HELD, f"process {process.pid} {process.command}")
    stop = f"sudo systemctl disable --now {quote(process.unit)}"
    return _fault(bus, device, held, stop if process.unit else f"sudo kill {process.pid}")


def _fault(bus: Bus, device: Path, known: Diagnosis, fix: str) -> Finding:
    return Finding(AREA, Severity.FAULT, f"bus {bus.name}: {device} {known}", fix)
