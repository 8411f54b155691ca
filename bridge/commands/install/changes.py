"""The difference between a site and the machine, and the changes that make the machine fit the site.

Nothing is remembered between two installs: the files and the running services are the state.
The status of a service names the part of the site that it was started with, so an edit restarts only the
services that it concerns; one that was restarted in between, for another reason, is not restarted again.
"""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from bridge.audit_log import Change
from bridge.commands.install import machine
from bridge.commands.install.files import (
    ALL,
    READER,
    RULES,
    SYSUSERS,
    TMPFILES,
    UPLINK,
    WEB,
    WEB_SOCKET,
    File,
)
from bridge.commands.install.root import folder_below
from bridge.config import Site
from bridge.files import open_regular, replace_by_link, replace_regular
from bridge.port.adapter import Adapter

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """The files that must change.

    Attributes:
        write: the files that are missing or different.
        remove: the files that are there and must not be.
    """

    write: tuple[File, ...]
    remove: tuple[Path, ...]

    @property
    def paths(self) -> set[Path]:
        """Return the paths of all files that must change."""
        return {*self.remove, *(file.path for file in self.write)}


def compare(site_files: Sequence[File], root: Path) -> Difference:
    """Compare the files that must be in the system with those that are."""
    differing = tuple(file for file in site_files if _contents(file.path, root) != (file.text, file.is_link))
    site_paths = {file.path for file in site_files}
    return Difference(
        differing, tuple(path for path in ALL if path not in site_paths and _contents(path, root))
    )


def diff(difference: Difference, root: Path) -> str:
    """Return the difference as a unified diff."""
    after = {file.path: file for file in difference.write}
    lines: list[str] = []
    for path in (*after, *difference.remove):
        contents = _contents(path, root)
        old = contents[0].splitlines() if contents else []
        new = after[path].text.splitlines() if path in after else []
        names = (str(path) if contents else "/dev/null", str(path) if path in after else "/dev/null")
        lines += difflib.unified_diff(old, new, *names, lineterm="")
    return "\n".join(lines)


def file_changes(difference: Difference, root: Path) -> list[Change]:
    """Return each file that must change, with the lines that only the old one has, and only the new one."""
    after = {file.path: file.text for file in difference.write} | dict.fromkeys(difference.remove, "")
    file_changes = []
    for path, text in after.items():
        contents = _contents(path, root)
        old_lines, new_lines = (contents[0] if contents else "").splitlines(), text.splitlines()
        removed = [line for line in old_lines if line not in new_lines]
        added = [line for line in new_lines if line not in old_lines]
        file_changes.append(Change(str(path), removed if contents else None, added if text else None))
    return file_changes


def write(difference: Difference, root: Path, say: Say) -> None:
    """Write and remove the files of a difference, each in one step."""
    for file in difference.write:
        with folder_below(root, file.path.parent, make=True) as folder:
            if file.is_link:
                replace_by_link(file.path.name, file.text, folder=folder)
            else:
                replace_regular(file.path.name, file.text.encode(), folder=folder, mode=0o644)
        say(f"wrote {file.path}")
    for path in difference.remove:
        with folder_below(root, path.parent) as folder:
            os.unlink(path.name, dir_fd=folder)
        say(f"removed {path}")


@dataclass(frozen=True, slots=True)
class Restarts:
    """The services that must change.

    Attributes:
        stop: the reason to stop a service, by its name; those of the site are started afterwards, like all
            that are missing.
        recognise: the devices for which udev has not done what the rules say.
    """

    stop: Mapping[str, str]
    recognise: tuple[Path, ...]


def restarts(
    site: Site, handed_over: Mapping[str, Path], difference: Difference, present: Sequence[Adapter]
) -> Restarts:
    """Compare the running services, and the links that udev made, with the site.

    Args:
        handed_over: the credentials' files, by the names under which the uplink has them.
        present: the adapters of this machine.
    """
    parts = {machine.unit_of(bus): f"bus-{bus}" for bus in site.buses}
    if handed_over:
        parts[machine.UPLINK] = "uplink"
    reasons = {
        name: _page_reason(site, difference)
        if name in (machine.WEB, machine.WEB_SOCKET)
        else _service_reason(name, unit.status, parts.get(name), site, handed_over, difference)
        for name, unit in machine.units().items()
        if unit.is_active
    }
    has_new_rules = RULES in difference.paths
    return Restarts(
        {name: reason for name, reason in reasons.items() if reason},
        _unrecognised(site, present, has_new_rules=has_new_rules),
    )


def _service_reason(
    name: str,
    status: str,
    part: str | None,
    site: Site,
    handed_over: Mapping[str, Path],
    difference: Difference,
) -> str:
    """Return why a running reader or uplink must be stopped; "" if it goes on.

    Args:
        name, status: of its unit.
        part: the part of the site that it runs; None if no part of this site has such a service.
        site, handed_over, difference: as for `restarts`.
    """
    if part is None:
        return "it is no longer wanted"
    if (UPLINK if name == machine.UPLINK else READER) in difference.paths:
        return "its unit changed"
    if f"{part} {site.fingerprints[part]}" not in status:
        return f"its part of {site.path.name} changed"
    return "the credentials changed" if part == "uplink" and _differ(handed_over) else ""


def _page_reason(site: Site, difference: Difference) -> str:
    """Return why the page and its socket must be stopped; "" if they go on."""
    if site.web.listen == "off":
        return "the page is off"
    return "its unit changed" if difference.paths & {WEB, WEB_SOCKET} else ""


def carry_out(
    site: Site, plan: Restarts, present: Sequence[Adapter], *, delivers: bool, say: Say
) -> list[str]:
    """Have udev and systemd do what the files say; return the failures, a sentence each."""
    steps = machine.Steps()
    steps.stop(tuple(plan.stop))
    for name, reason in plan.stop.items():
        say(f"stopped {name}: {reason}")
    steps.make_user_and_folders(SYSUSERS, TMPFILES)
    steps.reload()
    steps.recognise(plan.recognise)
    # Links of buses that changed places were in each other's way; the old ones are gone now.
    steps.recognise(_unrecognised(site, present))
    links = machine.links()
    names = [machine.unit_of(bus) for bus in site.buses if bus in links]
    if delivers:
        names.append(machine.UPLINK)
    if site.web.listen != "off":
        names.append(machine.WEB_SOCKET)
    running = machine.units()
    for bus in site.buses.values():
        if bus.name not in links and (devices := machine.fitting(bus, present)):
            test = f"udevadm test {quote(str(devices[0]))}"
            steps.failures.append(f"udev made no {machine.LINKS / bus.name} for {devices[0]}; why: {test}")
    missing = [name for name in names if not (name in running and running[name].is_up)]
    for name in steps.start(missing):
        say(f"started {name}")
    return steps.failures


def undo(running: Sequence[str], difference: Difference, root: Path, say: Say) -> list[str]:
    """Stop the services, remove the files and have udev and systemd reload.

    Returns:
        The failures, a sentence each.
    """
    steps = machine.Steps()
    steps.stop(running)
    for name in running:
        say(f"stopped {name}")
    write(difference, root, say)
    steps.reload()
    steps.recognise(list(machine.links().values()))
    if machine.RUNTIME.exists():
        shutil.rmtree(machine.RUNTIME, ignore_errors=True)
        say(f"removed {machine.RUNTIME}")
    return steps.failures


def _unrecognised(site: Site, present: Sequence[Adapter], *, has_new_rules: bool = False) -> tuple[Path, ...]:
    """Return the devices that do not have the link they should have, or whose rules are new."""
    links = machine.links()
    bus_devices = {bus.name: machine.fitting(bus, present) for bus in site.buses.values()}
    stale_devices = [device for bus, device in links.items() if device not in bus_devices.get(bus, [])]
    new_devices = [
        device
        for bus, devices in bus_devices.items()
        for device in devices
        if has_new_rules or links.get(bus) != device
    ]
    return tuple(dict.fromkeys([*stale_devices, *new_devices]))


def _differ(handed_over: Mapping[str, Path]) -> bool:
    return any(machine.handed_over(name) != source.read_bytes() for name, source in handed_over.items())


def _contents(path: Path, root: Path) -> tuple[str, bool] | None:
    """Return the text of the file at a path, and whether it is a link; None if there is none."""
    try:
        with folder_below(root, path.parent) as folder:
            try:
                return os.readlink(path.name, dir_fd=folder), True
            except OSError:  # no link
                descriptor = open_regular(path.name, os.O_RDONLY, folder=folder)
                with os.fdopen(descriptor, "rb") as file:
                    return file.read().decode("utf-8", errors="replace"), False
    except FileNotFoundError:
        return None
