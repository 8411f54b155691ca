"""What differs between a site and the machine, and making the one the other's truth.

Nothing is remembered between two installs: files and running services are looked at.
A service says in its status with which part of the site it was started, so only those restart that an edit
concerns; one that was restarted in between, for another reason, is not restarted again.
"""

from __future__ import annotations

import difflib
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from bridge.commissioning.install import machine
from bridge.commissioning.install.files import ALL, READER, RULES, SYSUSERS, TMPFILES, UPLINK, File
from bridge.commissioning.install.root import folder_below
from bridge.config import Site
from bridge.files import open_regular
from bridge.port.adapter import Adapter

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """The files that must change.

    Attributes:
        write: those missing or different. remove: those that are there and must not be.
    """

    write: tuple[File, ...]
    remove: tuple[Path, ...]

    @property
    def paths(self) -> set[Path]:
        """All of them."""
        return {*self.remove, *(file.path for file in self.write)}


def compare(wanted: Sequence[File], root: Path) -> Difference:
    """Holds what must be there against what is."""
    differ = tuple(file for file in wanted if _there(file.path, root) != (file.text, file.is_link))
    kept = {file.path for file in wanted}
    return Difference(differ, tuple(path for path in ALL if path not in kept and _there(path, root)))


def diff(difference: Difference, root: Path) -> str:
    """The difference as a unified diff."""
    after = {file.path: file for file in difference.write}
    lines: list[str] = []
    for path in (*after, *difference.remove):
        there = _there(path, root)
        old = there[0].splitlines() if there else []
        new = after[path].text.splitlines() if path in after else []
        names = (str(path) if there else "/dev/null", str(path) if path in after else "/dev/null")
        lines += difflib.unified_diff(old, new, *names, lineterm="")
    return "\n".join(lines)


def write(difference: Difference, root: Path, say: Say) -> None:
    """Makes the files what they must be, each at once or not at all."""
    for file in difference.write:
        with folder_below(root, file.path.parent, make=True) as folder:
            _put(folder, file)
        say(f"wrote {file.path}")
    for gone in difference.remove:
        with folder_below(root, gone.parent) as folder:
            os.unlink(gone.name, dir_fd=folder)
        say(f"removed {gone}")


def _put(folder: int, file: File) -> None:
    """Give a file its name in an open folder, when it is complete."""
    draft = f".{file.path.name}.{secrets.token_hex(8)}"
    try:
        if file.is_link:
            os.symlink(file.text, draft, dir_fd=folder)
        else:
            descriptor = open_regular(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder=folder)
            with os.fdopen(descriptor, "w", encoding="utf-8") as new:
                new.write(file.text)
                os.fchmod(descriptor, 0o644)
        os.replace(draft, file.path.name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=folder)
        raise


@dataclass(frozen=True, slots=True)
class Restarts:
    """The services that must change.

    Attributes:
        stop: by name, and why; those of the site are started afterwards, like all that are missing.
        recognise: the devices for which udev has not done what the rules say.
    """

    stop: Mapping[str, str]
    recognise: tuple[Path, ...]


def restarts(
    site: Site, handed_over: Mapping[str, Path], difference: Difference, found: Sequence[Adapter]
) -> Restarts:
    """Holds the services that run, and the links that udev made, against the site.

    Args:
        handed_over: the credentials' files, by the names under which the uplink has them.
        found: the adapters that are present.
    """
    parts = {machine.unit_of(bus): f"bus-{bus}" for bus in site.buses}
    if handed_over:
        parts[machine.UPLINK] = "uplink"
    why: dict[str, str] = {}
    for name, unit in machine.units().items():
        if not unit.is_active:
            continue
        part = parts.get(name)
        own_file = UPLINK if name == machine.UPLINK else READER
        if part is None:
            why[name] = "it is no longer wanted"
        elif own_file in difference.paths:
            why[name] = "its unit changed"
        elif f"{part} {site.fingerprints[part]}" not in unit.status:
            why[name] = f"its part of {site.path.name} changed"
        elif part == "uplink" and _differ(handed_over):
            why[name] = "the credentials changed"
    has_new_rules = RULES in difference.paths
    return Restarts(why, _unrecognised(site, found, has_new_rules=has_new_rules))


def carry_out(site: Site, plan: Restarts, found: Sequence[Adapter], *, delivers: bool, say: Say) -> list[str]:
    """Has udev and systemd do what the files say; what failed, a sentence each."""
    steps = machine.Steps()
    steps.stop(tuple(plan.stop))
    for name, why in plan.stop.items():
        say(f"stopped {name}: {why}")
    steps.make_user_and_folders(SYSUSERS, TMPFILES)
    steps.reload()
    steps.recognise(plan.recognise)
    # Buses that changed places found each other's links in their way; those are gone now.
    steps.recognise(_unrecognised(site, found))
    linked = machine.links()
    names = [machine.unit_of(bus) for bus in site.buses if bus in linked]
    if delivers:
        names.append(machine.UPLINK)
    running = machine.units()
    for bus in site.buses.values():
        if bus.name not in linked and (devices := machine.fitting(bus, found)):
            why = f"udevadm test {quote(str(devices[0]))}"
            steps.failures.append(f"udev made no {machine.LINKS / bus.name} for {devices[0]}; why: {why}")
    missing = [name for name in names if not (name in running and running[name].is_up)]
    for name in steps.start(missing):
        say(f"started {name}")
    return steps.failures


def undo(running: Sequence[str], difference: Difference, root: Path, say: Say) -> list[str]:
    """Stops the services, removes the files and has udev and systemd forget; what failed, a sentence each."""
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


def _unrecognised(site: Site, found: Sequence[Adapter], *, has_new_rules: bool = False) -> tuple[Path, ...]:
    """The devices that have not the link they should have, or whose rules are new."""
    linked = machine.links()
    wanted = {bus.name: machine.fitting(bus, found) for bus in site.buses.values()}
    stale = [device for bus, device in linked.items() if device not in wanted.get(bus, [])]
    new = [
        device
        for bus, devices in wanted.items()
        for device in devices
        if has_new_rules or linked.get(bus) != device
    ]
    return tuple(dict.fromkeys([*stale, *new]))


def _differ(handed_over: Mapping[str, Path]) -> bool:
    return any(machine.handed_over(name) != source.read_bytes() for name, source in handed_over.items())


def _there(path: Path, root: Path) -> tuple[str, bool] | None:
    """What stands at a path, and whether it is a link; None if nothing does."""
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
