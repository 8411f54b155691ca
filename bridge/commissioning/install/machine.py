"""The system as it runs: its adapters, its units, and the commands that change it.

Every command has a deadline, and a failure is one sentence with what was run. A failed step does not keep the
next from being tried: half of an installation that runs is better than none.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.config import Bus
from bridge.errors import BridgeError
from bridge.port import adapter
from bridge.port.adapter import Adapter

LINKS = Path("/dev/sbridge")
CREDENTIALS = Path("/run/credentials/serial-bridge-uplink.service")
RUNTIME = Path("/run/serial-bridge")
SYSTEMD = Path("/run/systemd/system")  # there if systemd runs this machine: sd_booted(3)

UPLINK = "serial-bridge-uplink.service"
READERS = "serial-bridge@*.service"

_STEP_WITHIN_S = 30.0
_START_WITHIN_S = 90.0  # one that examines a damaged spool takes longer, and goes on


class StepFailed(BridgeError):
    """A command of the system failed, is missing, or did not end in time."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A service that systemd knows.

    Attributes:
        is_active: it runs, or tries to.
        is_up: it said that it is.
        status: what it says of itself.
    """

    is_active: bool
    is_up: bool
    status: str


def unit_of(bus: str) -> str:
    """The service that reads a bus."""
    return f"serial-bridge@{bus}.service"


def present() -> list[Adapter]:
    """The adapters of this machine."""
    return list(adapter.adapters())


def fitting(bus: Bus, found: Sequence[Adapter]) -> list[Path]:
    """The devices that are, or claim to be, the port of a bus."""
    if not bus.adapter.startswith("/"):
        return [one.device for one in adapter.fitting(bus.adapter, found)]
    device = Path(bus.adapter)
    return [device.resolve()] if device.exists() else []


def links() -> dict[str, Path]:
    """The device of each bus for which udev has made a link."""
    if not LINKS.is_dir():
        return {}
    return {link.name: link.resolve() for link in sorted(LINKS.iterdir())}


def units() -> dict[str, Unit]:
    """The bridge's services that systemd has loaded, by name."""
    shown = _run("systemctl", "show", "--property=Id,ActiveState,StatusText", READERS, UPLINK)
    found = {}
    for block in shown.split("\n\n"):
        said = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in said:
            state = said.get("ActiveState", "")
            is_active = state not in ("inactive", "failed")
            found[said["Id"]] = Unit(is_active, state == "active", said.get("StatusText", ""))
    return found


def handed_over(name: str) -> bytes | None:
    """What the uplink that runs was given under a name; None if nothing."""
    try:
        return (CREDENTIALS / name).read_bytes()
    except OSError:
        return None


class Steps:
    """The commands that change the system, one after the other.

    Attributes:
        failures: a sentence for each that failed.
    """

    def __init__(self) -> None:
        self.failures: list[str] = []

    def make_user_and_folders(self, sysusers: Path, tmpfiles: Path) -> None:
        """The services' user, the spool's folder and that of the status documents."""
        self._try("systemd-sysusers", str(sysusers))
        self._try("systemd-tmpfiles", "--create", str(tmpfiles))

    def reload(self) -> None:
        """Has systemd and udev read their files again."""
        self._try("systemctl", "daemon-reload")
        self._try("udevadm", "control", "--reload")

    def recognise(self, devices: Sequence[Path]) -> None:
        """Has udev apply its rules to devices that are there already, and waits for it."""
        if devices:
            self._try("udevadm", "trigger", "--action=change", *map(str, devices))
            self._try("udevadm", "settle", f"--timeout={_STEP_WITHIN_S / 2:.0f}")

    def stop(self, names: Sequence[str]) -> None:
        """Stops services."""
        if names:
            self._try("systemctl", "stop", *names)

    def start(self, names: Sequence[str]) -> Iterator[str]:
        """Starts services; yields those that are up then. Why another is not stands in the journal."""
        if not names:
            return
        try:
            _run("systemctl", "start", *names, within_s=_START_WITHIN_S)
            found = units()
        except StepFailed as failure:
            self.failures.append(str(failure))
            return
        for name in names:
            if name in found and found[name].is_up:
                yield name
            else:
                self.failures.append(f"{name} did not start; why: journalctl -n 20 -u {name}")

    def _try(self, *command: str) -> None:
        try:
            _run(*command)
        except StepFailed as failure:
            self.failures.append(str(failure))


def _run(*command: str, within_s: float = _STEP_WITHIN_S) -> str:
    """Runs a command of the system and returns what it printed."""
    said = f"`{shlex.join(command)}`"
    try:
        done = subprocess.run(  # noqa: S603 — the commands above, by their own names
            command,
            env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except FileNotFoundError:
        raise StepFailed(f"{said} cannot be run: {command[0]} is missing, install systemd and udev") from None
    except subprocess.TimeoutExpired:
        raise StepFailed(f"{said} did not end within {within_s:.0f} s: run it by hand to see why") from None
    if done.returncode:
        why = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()[-1]
        raise StepFailed(f"{said} failed: {why}")
    return done.stdout
