"""The two commands: the checks before anything is changed, the steps, and the output."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shlex import quote

from bridge.audit_log import STEPS, AuditLog, Change
from bridge.causes import Cause, diagnosis
from bridge.commands.check.summary import shared_ports
from bridge.commands.install import bytecode, changes, machine
from bridge.commands.install.files import HIDDEN, Places, files, handed_over
from bridge.commands.install.root import within
from bridge.config import Credentials, Site, load, load_site
from bridge.errors import BridgeError, ConfigError, StepsFailed
from bridge.port.adapter import Adapter
from bridge.port.identity import refusal

ROOT = Path("/")
_THIS = Path(sysconfig.get_path("scripts")) / "serial-bridge"


def install(
    site_path: Path,
    credentials_path: Path,
    *,
    program: Path | None,
    root: Path,
    dry_run: bool,
    say: Callable[[str], None],
) -> None:
    """Have udev and systemd run a site; on a second run, change only what differs.

    Args:
        site_path, credentials_path, program: as the services will find them; program None: this one.
        root: a folder other than / is written to, and nothing is run: the system in it does that at its boot.
        dry_run: only say what would be done.
        say: called with each line for the person.

    Raises:
        ConfigError: every reason why nothing was changed, a line each.
        StepsFailed: every step that failed; the others are done.
    """
    is_live = root == ROOT and machine.SYSTEMD.is_dir()
    if root == ROOT and not dry_run:
        _only_root("install")
    site, credentials = _load(within(root, site_path), within(root, credentials_path))
    secret_files = handed_over(credentials, within(root, credentials_path)) if credentials else {}
    places = _places(root, site_path, program or _THIS, site, secret_files)
    site_files = files(site, places)
    present = machine.present() if is_live else []
    if mistakes := [*_no_program(program), *_refusals(site, present), *_unreadable(site, root)]:
        raise ConfigError(mistakes)
    if root != ROOT and not os.path.lexists(root / places.program.relative_to("/")):
        say(f"warning: {root} has no {places.program}, which the services run: install it in there too")
    if not secret_files:
        say(f"{credentials_path} is missing: buses are read and readings wait; write it and run this again")
    difference = changes.compare(site_files, root)
    plan = changes.restarts(site, secret_files, difference, present) if is_live else None
    if dry_run:
        _show(difference, plan, root, say)
        return
    if root == ROOT and places.program == _THIS:
        bytecode.compile_missing()
    file_changes = changes.file_changes(difference, root)
    steps: list[str] = []

    def say_step(line: str) -> None:
        steps.append(line)
        say(line)

    changes.write(difference, root, say_step)
    failures = (
        changes.carry_out(site, plan, present, delivers=bool(secret_files), say=say_step) if plan else []
    )
    steps += failures
    if not steps:
        say("nothing to change")
    elif root == ROOT:
        log = AuditLog(within(root, site_path), within(root, site.spool.path.absolute()), site.clock.trust)
        if reason := log.record("install", [*file_changes, Change(STEPS, None, steps)]):
            say(f"note: {reason}")
    if plan is None and difference.paths:
        say("systemd does not run there: it does the rest when that system boots")
    for bus in site.buses.values() if is_live else ():
        if not machine.fitting(bus, present):
            missing = diagnosis(Cause.PORT_GONE).observation
            say(f'bus {bus.name}: adapter "{bus.adapter}" {missing}; the bus starts when it is')
    if failures:
        raise StepsFailed(failures)


def uninstall(*, root: Path, dry_run: bool, say: Callable[[str], None]) -> None:
    """Stop the services and remove what `install` wrote; the site, its credentials and readings stay.

    Raises:
        StepsFailed: every step that failed; the others are done.
    """
    is_live = root == ROOT and machine.SYSTEMD.is_dir()
    if root == ROOT and not dry_run:
        _only_root("uninstall")
    difference = changes.compare((), root)
    running = [name for name, unit in machine.units().items() if unit.is_active] if is_live else []
    if not difference.remove and not running:
        say("nothing is installed")
        return
    if dry_run:
        for path in difference.remove:
            say(f"would remove {path}")
        for name in running:
            say(f"would stop {name}")
        return
    failures: list[str] = []
    if is_live:
        failures = changes.undo(running, difference, root, say)
    else:
        changes.write(difference, root, say)
    say("the site, its credentials, its readings and the user serial-bridge, whose they are, stay")
    if failures:
        raise StepsFailed(failures)


def _load(site: Path, credentials: Path) -> tuple[Site, Credentials | None]:
    """Return site and credentials; None where there are no credentials yet."""
    if credentials.exists():
        return load(site, credentials)
    return load_site(site), None


def _places(
    root: Path, site_path: Path, program: Path, site: Site, secret_files: Mapping[str, Path]
) -> Places:
    """Return where the services find what they need, as the system in `root` names it."""
    return Places(
        program,
        site_path.absolute(),
        _above(root, site.spool.path.absolute().parent),
        {name: _above(root, path.absolute()) for name, path in secret_files.items()},
    )


def _only_root(command: str) -> None:
    if os.geteuid() != 0:
        raise BridgeError(
            f"{command} writes below /etc and starts services: run sudo serial-bridge {command}"
        )


def _no_program(program: Path | None) -> Iterator[str]:
    """Yield why the services could not run the program that runs this; nothing if another one is named."""
    if program is not None:
        return
    if not os.access(_THIS, os.X_OK):
        yield f"{_THIS} is missing: install the program as README says, or name it with --program"
    if any(Path(sys.base_prefix).is_relative_to(hidden) for hidden in HIDDEN):
        yield (
            f"this program's Python, {sys.base_prefix}, is where the services have no access: "
            "make its virtual environment with /usr/bin/python3"
        )


def _refusals(site: Site, present: list[Adapter]) -> Iterator[str]:
    """Yield a sentence for each adapter that does not name one port alone."""
    yield from shared_ports(site, present)
    for bus in site.buses.values():
        place = f"{site.path}: bus.{bus.name}.adapter"
        devices = machine.fitting(bus, present)
        if why := refusal(bus.adapter, present):
            yield f"{place}: {why}"
        elif len(devices) > 1:
            names = " and ".join(map(str, devices))
            yield f'{place}: "{bus.adapter}" fits {names}; see: serial-bridge enroll'


def _unreadable(site: Site, root: Path) -> Iterator[str]:
    """Yield a sentence for each file of the site that the services' user may not read."""
    site_paths = [site.path, *sorted((site.path.parent / "models").glob("*.toml"))]
    if site.thingsboard.ca is not None:
        site_paths.append(site.thingsboard.ca)
    modes: dict[Path, str] = {}
    for path in map(Path.absolute, site_paths):
        if not path.stat().st_mode & stat.S_IROTH:
            modes[path] = "o+r"
        for folder in path.parents:
            if folder == root.absolute():
                break
            if not folder.stat().st_mode & stat.S_IXOTH:
                modes[folder] = "o+x"
    for path, mode in modes.items():
        command = f"chmod {mode} {quote(str(path))}"
        yield f"the services, which have a user of their own, may not read {path}: run {command}"


def _show(
    difference: changes.Difference, plan: changes.Restarts | None, root: Path, say: Callable[[str], None]
) -> None:
    """Show what would be done."""
    if text := changes.diff(difference, root):
        say(text)
    stop = plan.stop if plan else {}
    for name, reason in stop.items():
        say(f"would stop {name}: {reason}")
    if not text and not stop:
        say("nothing to change")


def _above(root: Path, path: Path) -> Path:
    """Return the name that the system in `root` has for a path of this machine."""
    root = root.absolute()
    return Path("/") / path.relative_to(root) if path.is_relative_to(root) else path
