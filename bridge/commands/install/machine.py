"""The running system: its adapters, its units, and the commands that change it.

Every command has a deadline, and a failure is one sentence that names the command. A failed step does not
keep the next from being tried: half of an installation that runs is better than none.
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
WEB = "serial-bridge-web.service"
WEB_SOCKET = "serial-bridge-web.socket"

_STEP_WITHIN_S = 30.0
_START_WITHIN_S = 90.0  # a service that examines a damaged spool takes longer, and goes on


class StepFailed(BridgeError):
    """A command of the system failed, is missing, or did not end in time."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A service that systemd knows.

    Attributes:
        is_active: it runs, or tries to.
        is_up: it has reported that it is ready.
        status: the text of its own status.
    """

    is_active: bool
    is_up: bool
    status: str


def unit_of(bus: str) -> str:
    """Return the service that reads a bus."""
    return f"serial-bridge@{bus}.service"


def present() -> list[Adapter]:
    """Return the adapters of this machine."""
    return list(adapter.adapters())


def fitting(bus: Bus, present: Sequence[Adapter]) -> list[Path]:
    """Return the devices that are, or claim to be, the port of a bus."""
    if not bus.adapter.startswith("/"):
        return [entry.device for entry in adapter.fitting(bus.adapter, present)]
    device = Path(bus.adapter)
    return [device.resolve()] if device.exists() else []


def links() -> dict[str, Path]:
    """Return the device of each bus for which udev has made a link."""
    if not LINKS.is_dir():
        return {}
    return {link.name: link.resolve() for link in sorted(LINKS.iterdir())}


def units() -> dict[str, Unit]:
    """Return the bridge's services that systemd has loaded, by name."""
    output = _run(
        "systemctl", "show", "--property=Id,ActiveState,StatusText", READERS, UPLINK, WEB, WEB_SOCKET
    )
    services = {}
    for block in output.split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in properties:
            state = properties.get("ActiveState", "")
            is_active = state not in ("inactive", "failed")
            services[properties["Id"]] = Unit(is_active, state == "active", properties.get("StatusText", ""))
    return services


def handed_over(name: str) -> bytes | None:
    """Return the contents of a file that systemd handed over to the running uplink; None if it did not."""
    try:
        return (CREDENTIALS / name).read_bytes()
    except OSError:
        return None


class Steps:
    """The commands that change the system, one after the other.

    Attributes:
        failures: a sentence for each command that failed.
    """

    def __init__(self) -> None:
        self.failures: list[str] = []

    def make_user_and_folders(self, sysusers: Path, tmpfiles: Path) -> None:
        """Make the services' user, the spool's folder and that of the status documents."""
        self._try("systemd-sysusers", str(sysusers))
        self._try("systemd-tmpfiles", "--create", str(tmpfiles))

    def reload(self) -> None:
        """Have systemd and udev read their files again."""
        self._try("systemctl", "daemon-reload")
        self._try("udevadm", "control", "--reload")

    def recognise(self, devices: Sequence[Path]) -> None:
        """Have udev apply its rules to devices that are there already, and wait until it has."""
        if devices:
            self._try("udevadm", "trigger", "--action=change", *map(str, devices))
            self._try("udevadm", "settle", f"--timeout={_STEP_WITHIN_S / 2:.0f}")

    def stop(self, names: Sequence[str]) -> None:
        """Stop services."""
        if names:
            self._try("systemctl", "stop", *names)

    def start(self, names: Sequence[str]) -> Iterator[str]:
        """Start services; yield those that are up then. The journal says why another is not."""
        if not names:
            return
        try:
            _run("systemctl", "start", *names, within_s=_START_WITHIN_S)
            services = units()
        except StepFailed as failure:
            self.failures.append(str(failure))
            return
        for name in names:
            if name in services and services[name].is_up:
                yield name
            else:
                self.failures.append(f"{name} did not start; why: journalctl -n 20 -u {name}")

    def _try(self, *command: str) -> None:
        try:
            _run(*command)
        except StepFailed as failure:
            self.failures.append(str(failure))


def _run(*command: str, within_s: float = _STEP_WITHIN_S) -> str:
    """Run a command of the system and return what it printed.

    Raises:
        StepFailed: it is missing, failed, or did not end within `within_s` seconds.
    """
    command_text = f"`{shlex.join(command)}`"
    try:
        result = subprocess.run(  # noqa: S603 — the commands above, by their own names
            command,
            env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except FileNotFoundError:
        raise StepFailed(
            f"{command_text} cannot be run: {command[0]} is missing, install systemd and udev"
        ) from None
    except subprocess.TimeoutExpired:
        raise StepFailed(
            f"{command_text} did not end within {within_s:.0f} s: run it by hand to see why"
        ) from None
    if result.returncode:
        why = (result.stderr.strip() or result.stdout.strip() or f"status {result.returncode}").splitlines()[
            -1
        ]
        raise StepFailed(f"{command_text} failed: {why}")
    return result.stdout
