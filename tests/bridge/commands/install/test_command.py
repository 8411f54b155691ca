"""`install` and `uninstall` on a machine in a folder.

Files are written and read for real. systemd and udev are two programs that note what they are told and play
what follows from it; what the real ones do is shown in tests/udev and in the virtual machine.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from bridge.commands.install import bytecode, machine
from bridge.commands.install import steps as job
from bridge.commands.install.files import ALL, READER, RULES
from bridge.config import load_site
from bridge.errors import BridgeError, ConfigError
from bridge.port.adapter import Adapter

METERS, SOIL, UPLINK = "serial-bridge@meters.service", "serial-bridge@soil.service", machine.UPLINK

PROGRAM = Path("/opt/serial-bridge/bin/serial-bridge")

SITE = """
site = "barn"
[thingsboard]
url = "coap://localhost"
[bus.meters]
adapter = "serial:AB0JPQ7X"
protocol = "modbus-rtu"
line = "9600 8N1"
[bus.soil]
adapter = "path:pci-0000:00:06.0-usb-0:2:1.0"
protocol = "modbus-rtu"
line = "9600 8N1"
"""

SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >> "$STATE/calls"
command=$1; shift
case $command in
show) for unit in "$STATE"/units/*; do
    [ -e "$unit" ] && printf 'Id=%s\\nActiveState=active\\nStatusText=%s\\n\\n' "${unit##*/}" "$(cat "$unit")"
    done; exit 0;;
start) for unit; do cp "$STATE/starts/$unit" "$STATE/units/"; done;;
stop) for unit; do rm "$STATE/units/$unit"; done;;
esac
"""
UDEVADM = """#!/bin/sh
echo "udevadm $*" >> "$STATE/calls"
[ "$1" = trigger ] || exit 0
mkdir "$STATE/links"
while read -r bus device; do
    grep -q "SERIAL_BRIDGE_BUS}=\\"$bus\\"" "$ROOT_FOLDER"/etc/udev/rules.d/* || continue
    there=$(readlink "$DEV/$bus")
    [ "${there:-$device}" = "$device" ] && ln -s "$device" "$STATE/links/$bus"
done < "$STATE/plugged"
rm -f "$DEV"/*
mv "$STATE/links"/* "$DEV"
rmdir "$STATE/links"
exit 0
"""
OTHER = """#!/bin/sh
echo "${0##*/} $*" >> "$STATE/calls"
"""


class Box:
    """A machine with a site. Its adapters are ttyUSB0 for meters and ttyUSB1 for soil, both plugged in."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.state = folder / "root", folder / "state"
        self.site = self.root / "etc/serial-bridge/site.toml"
        self.credentials = self.site.with_name("credentials.toml")
        for made in (
            "etc/serial-bridge",
            "dev/sbridge",
            "run/systemd",
            "run/serial-bridge",
            "run/credentials",
        ):
            (self.root / made).mkdir(parents=True)
        for made in ("units", "starts", "bin"):
            (self.state / made).mkdir(parents=True)
        for name, script in {"systemctl": SYSTEMCTL, "udevadm": UDEVADM}.items():
            self.program(name, script)
        for name in ("systemd-sysusers", "systemd-tmpfiles"):
            self.program(name, OTHER)
        monkeypatch.setenv("PATH", f"{self.state / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("STATE", str(self.state))
        monkeypatch.setenv("DEV", str(self.root / "dev/sbridge"))
        monkeypatch.setenv("ROOT_FOLDER", str(self.root))
        monkeypatch.setattr(job, "ROOT", self.root)
        monkeypatch.setattr(machine, "SYSTEMD", self.root / "run/systemd")
        monkeypatch.setattr(machine, "LINKS", self.root / "dev/sbridge")
        monkeypatch.setattr(machine, "RUNTIME", self.root / "run/serial-bridge")
        monkeypatch.setattr(machine, "CREDENTIALS", self.root / "run/credentials")
        monkeypatch.setattr(machine, "present", lambda: self.adapters)
        monkeypatch.setattr(job.os, "geteuid", lambda: 0)
        self.packages = self.root / "opt/serial-bridge/lib"
        self.packages.mkdir(parents=True)
        monkeypatch.setattr(bytecode, "PACKAGES", self.packages)
        self.adapters = [
            Adapter(Path("/dev/ttyUSB0"), "AB0JPQ7X", 0, "pci-0000:00:06.0-usb-0:1:1.0", "1-1"),
            Adapter(Path("/dev/ttyUSB1"), "", 0, "pci-0000:00:06.0-usb-0:2:1.0", "1-2"),
        ]
        self.buses = {"/dev/ttyUSB0": "meters", "/dev/ttyUSB1": "soil"}
        self.write(SITE)
        self.allow("[sensors]\n")

    def program(self, name: str, script: str) -> None:
        path = self.state / "bin" / name
        path.write_text(script)
        path.chmod(0o755)

    def write(self, site: str) -> None:
        self.site.write_text(site)
        self.site.chmod(0o644)

    def allow(self, credentials: str) -> None:
        self.credentials.touch(mode=0o600)
        self.credentials.write_text(credentials)

    def install(self, *, dry_run: bool = False, program: Path | None = PROGRAM) -> list[str]:
        """Return what it says."""
        lines = [f"{self.buses.get(str(each.device))} {each.device}\n" for each in self.adapters]
        (self.state / "plugged").write_text("".join(lines))
        for part, fingerprint in load_site(self.site).fingerprints.items():
            unit = UPLINK if part == "uplink" else machine.unit_of(part.removeprefix("bus-"))
            (self.state / "starts" / unit).write_text(f"runs {part} {fingerprint}")
        (self.state / "starts" / machine.WEB_SOCKET).write_text("")
        (self.state / "calls").write_text("")
        said: list[str] = []
        job.install(
            Path("/etc/serial-bridge/site.toml"),
            Path("/etc/serial-bridge/credentials.toml"),
            program=program,
            root=self.root,
            dry_run=dry_run,
            say=said.append,
        )
        if UPLINK in self.running and f"started {UPLINK}" in said:
            (self.root / "run/credentials/credentials.toml").write_bytes(self.credentials.read_bytes())
        return said

    def uninstall(self) -> list[str]:
        said: list[str] = []
        (self.state / "calls").write_text("")
        job.uninstall(root=self.root, dry_run=False, say=said.append)
        return said

    @property
    def calls(self) -> list[str]:
        """Return what changed the system, in order."""
        lines = (self.state / "calls").read_text().splitlines()
        return [line for line in lines if not line.startswith("systemctl show")]

    @property
    def running(self) -> set[str]:
        return {path.name for path in (self.state / "units").iterdir()}

    @property
    def files(self) -> dict[str, str]:
        """Return everything below /etc, links by where they lead."""
        found = {}
        for path in sorted((self.root / "etc").rglob("*")):
            if path.is_symlink():
                found[str(path.relative_to(self.root))] = str(path.readlink())
            elif path.is_file():
                found[str(path.relative_to(self.root))] = path.read_text()
        return found


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    return Box(tmp_path, monkeypatch)


def test_a_site_is_installed_in_order_and_runs(box: Box) -> None:
    said = box.install()
    assert box.running == {METERS, SOIL, UPLINK}
    assert said[-3:] == [f"started {METERS}", f"started {SOIL}", f"started {UPLINK}"]
    assert [line for line in said if line.startswith("wrote ")] == [f"wrote {path}" for path in _IN_ORDER]
    assert [call.split("/")[0].strip() for call in box.calls] == [
        "systemd-sysusers",
        "systemd-tmpfiles --create",
        "systemctl daemon-reload",
        "udevadm control --reload",
        "udevadm trigger --action=change",
        "udevadm settle --timeout=15",
        f"systemctl start {METERS} {SOIL} {UPLINK}",
    ]
    assert "/dev/ttyUSB0 /dev/ttyUSB1" in box.calls[4]


def test_the_program_is_compiled_for_services_that_cannot_write(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_THIS", PROGRAM)
    module = box.packages / "module.py"
    module.write_text("VALUE = 1\n")
    compiled = Path(cache_from_source(module))
    box.install(dry_run=True)
    box.install(program=Path("/opt/another/bin/serial-bridge"))
    assert not compiled.exists()
    box.install()
    assert compiled.exists()


_IN_ORDER = [ALL[0], ALL[4], ALL[5], ALL[1], ALL[2], ALL[3]]


def test_what_an_install_changed_stands_in_the_audit_log(box: Box) -> None:
    said = box.install()
    log = box.site.with_name("audit.jsonl")
    (entry,) = map(json.loads, log.read_text().splitlines())
    assert entry["command"] == "install"
    *file_changes, steps = entry["changes"]
    assert steps["after"] == said
    unit = next(change for change in file_changes if change["what"] == str(READER))
    assert (unit["before"], unit["after"]) == (
        None,
        (box.root / READER.relative_to("/")).read_text().splitlines(),
    )
    box.install()
    assert len(log.read_text().splitlines()) == 1, "nothing was changed by the second one"
    box.write(SITE.replace("AB0JPQ7X", "AQ00NEW1"))
    box.adapters[0] = replace(box.adapters[0], serial="AQ00NEW1")
    box.install()
    rules = next(
        change
        for change in json.loads(log.read_text().splitlines()[-1])["changes"]
        if change["what"] == str(RULES)
    )
    assert all("AB0JPQ7X" in line for line in rules["before"])
    assert all("AQ00NEW1" in line for line in rules["after"])


def test_installed_again_nothing_changes(box: Box) -> None:
    box.install()
    before, running = box.files, box.running
    assert box.install() == ["nothing to change"]
    assert (box.files, box.running) == (before, running)
    assert not any(call.startswith(("systemctl st", "udevadm trigger")) for call in box.calls)


@pytest.mark.parametrize(
    ("old", "new", "restarted"),
    [
        ('line = "9600 8N1"\n[bus.soil', 'line = "19200 8N1"\n[bus.soil', {METERS}),
        ("coap://localhost", "coap://tb.example.com", {UPLINK}),
        ("[bus.meters]", '[spool]\nlimit = "2GB"\n[bus.meters]', {METERS, SOIL, UPLINK}),
        ('site = "barn"', '# the barn\nsite = "barn"', set()),
    ],
)
def test_after_an_edit_only_what_it_concerns_is_restarted(
    box: Box, old: str, new: str, restarted: set[str]
) -> None:
    box.install()
    box.write(SITE.replace(old, new))
    said = box.install()
    assert {line.split()[1].rstrip(":") for line in said if line.startswith("stopped")} == restarted
    assert {line.split()[1] for line in said if line.startswith("started")} == restarted
    assert box.running == {METERS, SOIL, UPLINK}
    assert (said == ["nothing to change"]) == (not restarted)


def test_new_credentials_restart_the_uplink_alone(box: Box) -> None:
    box.install()
    box.allow('[sensors]\n# "edited"\n')
    assert box.install() == [f"stopped {UPLINK}: the credentials changed", f"started {UPLINK}"]


def test_a_bus_that_is_gone_is_stopped_and_its_rule_goes(box: Box) -> None:
    box.install()
    box.write(SITE.partition("[bus.soil]")[0])
    said = box.install()
    assert f"stopped {SOIL}: it is no longer wanted" in said
    assert SOIL not in box.running
    assert "soil" not in box.files[str(RULES.relative_to("/"))]
    assert not (box.root / "dev/sbridge/soil").exists()


def test_buses_that_change_places_get_each_others_links(box: Box) -> None:
    box.install()
    serial, path = "serial:AB0JPQ7X", "path:pci-0000:00:06.0-usb-0:2:1.0"
    box.write(SITE.replace(serial, "x").replace(path, serial).replace('"x"', f'"{path}"'))
    box.buses = {"/dev/ttyUSB0": "soil", "/dev/ttyUSB1": "meters"}
    box.install()
    links = {link.name: str(link.readlink()) for link in (box.root / "dev/sbridge").iterdir()}
    assert links == {"meters": "/dev/ttyUSB1", "soil": "/dev/ttyUSB0"}
    assert box.running == {METERS, SOIL, UPLINK}


def test_another_unit_restarts_every_bus(box: Box) -> None:
    box.install()
    unit = box.root / READER.relative_to("/")
    unit.write_text(unit.read_text() + "\n[Service]\nNice=5\n")
    said = box.install()
    assert f"wrote {READER}" in said
    assert [line for line in said if "its unit changed" in line] == [
        f"stopped {METERS}: its unit changed",
        f"stopped {SOIL}: its unit changed",
    ]


def test_a_bus_that_somebody_stopped_runs_again(box: Box) -> None:
    box.install()
    (box.state / "units" / METERS).unlink()
    assert box.install() == [f"started {METERS}"]


def test_a_bus_whose_adapter_is_missing_waits_for_it(box: Box) -> None:
    del box.adapters[0]
    said = box.install()
    assert said[-1] == 'bus meters: adapter "serial:AB0JPQ7X" is not there; the bus starts when it is'
    assert box.running == {SOIL, UPLINK}


def test_before_there_are_credentials_buses_are_read(box: Box) -> None:
    box.credentials.unlink()
    said = box.install()
    assert said[0].startswith(
        "/etc/serial-bridge/credentials.toml is missing: buses are read and readings wait"
    )
    assert box.running == {METERS, SOIL}
    box.allow("[sensors]\n")
    assert f"started {UPLINK}" in box.install()


def test_a_dry_run_shows_the_difference_and_touches_nothing(box: Box) -> None:
    box.install()
    box.write(SITE.replace("AB0JPQ7X", "AB0JPQ7Y"))
    box.adapters.clear()
    before, running = box.files, box.running
    said = "\n".join(box.install(dry_run=True))
    assert '-ENV{ID_BUS}=="usb", ENV{ID_SERIAL_SHORT}=="AB0JPQ7X"' in said
    assert '+ENV{ID_BUS}=="usb", ENV{ID_SERIAL_SHORT}=="AB0JPQ7Y"' in said
    assert f"would stop {METERS}: its part of site.toml changed" in said
    assert (box.files, box.running) == (before, running)


def test_uninstall_leaves_nothing_but_data(box: Box) -> None:
    before = box.files
    box.install()
    said = box.uninstall()
    assert {path: text for path, text in box.files.items() if not path.endswith("audit.jsonl")} == before
    assert box.running == set()
    assert not (box.root / "run/serial-bridge").exists()
    assert list((box.root / "dev/sbridge").iterdir()) == []
    assert said[-1].startswith("the site, its credentials, its readings and the user serial-bridge")
    assert box.uninstall() == ["nothing is installed"]


@pytest.mark.parametrize(
    ("adapters", "said"),
    [
        (
            lambda: [
                Adapter(Path("/dev/ttyUSB0"), "AB0JPQ7X", 0, "pci-1", "1-1"),
                Adapter(Path("/dev/ttyUSB5"), "AB0JPQ7X", 0, "pci-2", "1-2"),
            ],
            r'"path:pci-1" \(/dev/ttyUSB0\) or "path:pci-2" \(/dev/ttyUSB5\)',
        ),
        (
            lambda: [
                Adapter(Path(f"/dev/ttyUSB{at}"), "AB0JPQ7X", at, f"pci-1.{at}", "1-1") for at in range(4)
            ],
            r'has 4 ports: write "serial:AB0JPQ7X:0" \(/dev/ttyUSB0\) or',
        ),
    ],
)
def test_an_adapter_that_is_not_one_is_refused_by_name(
    box: Box, adapters: Callable[[], list[Adapter]], said: str
) -> None:
    before = box.files
    box.adapters = adapters()
    with pytest.raises(ConfigError, match=rf"bus\.meters\.adapter: .*{said}"):
        box.install()
    assert box.files == before


def test_a_serial_number_of_clones_is_refused_though_none_is_there(box: Box) -> None:
    box.adapters.clear()
    box.write(SITE.replace("AB0JPQ7X", "A50285BI"))
    with pytest.raises(ConfigError, match=r'bus\.meters\.adapter: .*A50285BI.*"path:…"'):
        box.install()
    assert box.files.keys() == {"etc/serial-bridge/site.toml", "etc/serial-bridge/credentials.toml"}


def test_a_site_that_the_services_may_not_read_is_refused(box: Box) -> None:
    box.site.chmod(0o640)
    with pytest.raises(ConfigError, match=rf"may not read {box.site}: run chmod o\+r {box.site}"):
        box.install()


@pytest.mark.parametrize(
    ("program", "python", "said"),
    [
        (
            "/nowhere/serial-bridge",
            "/usr",
            "/nowhere/serial-bridge is missing: install the program as README says",
        ),
        ("/usr/bin/true", "/home/pi/.pyenv", "make its virtual environment with /usr/bin/python3"),
    ],
)
def test_a_program_that_the_services_could_not_run_is_refused(
    box: Box, program: str, python: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "_THIS", Path(program))
    monkeypatch.setattr(sys, "base_prefix", python)
    with pytest.raises(ConfigError, match=said):
        box.install(program=None)


def test_a_step_that_fails_is_said_and_the_others_are_done(box: Box) -> None:
    box.program("systemd-tmpfiles", "#!/bin/sh\necho no such user >&2\nexit 73\n")
    with pytest.raises(BridgeError, match=r"`systemd-tmpfiles --create .*` failed: no such user"):
        box.install()
    assert box.running == {METERS, SOIL, UPLINK}


def test_a_service_that_does_not_come_up_is_said_with_where_to_look(box: Box) -> None:
    box.program(
        "systemctl",
        SYSTEMCTL.replace(
            'cp "$STATE/starts/$unit"', '[ "$unit" = ' + SOIL + ' ] || cp "$STATE/starts/$unit"'
        ),
    )
    with pytest.raises(BridgeError, match=f"^{SOIL} did not start; why: journalctl -n 20 -u {SOIL}$"):
        box.install()


def test_a_program_of_the_system_that_is_missing_is_said(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    (box.state / "bin" / "udevadm").unlink()
    monkeypatch.setenv("PATH", str(box.state / "bin"))
    with pytest.raises(BridgeError, match="udevadm is missing, install systemd and udev"):
        box.install()


def test_who_is_not_root_is_told_how(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job.os, "geteuid", lambda: 1000)
    with pytest.raises(BridgeError, match="run sudo serial-bridge install"):
        box.install()
    assert len(box.files) == 2
    box.install(dry_run=True)


def test_into_another_root_files_are_written_and_nothing_is_run(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "ROOT", Path("/"))
    before = os.umask(0o077)
    try:
        said = box.install()
    finally:
        os.umask(before)
    assert said[-1] == "systemd does not run there: it does the rest when that system boots"
    assert box.calls == []
    modes = {path: (box.root / path.relative_to("/")).stat(follow_symlinks=False).st_mode for path in ALL[:3]}
    assert {stat.S_IMODE(mode) for mode in modes.values()} == {0o644}
    unable = f"warning: {box.root} has no {PROGRAM}, which the services run: install it in there too"
    assert said[0] == unable
    assert box.install() == [unable, "nothing to change"]
    box.uninstall()
    assert box.files.keys() == {"etc/serial-bridge/site.toml", "etc/serial-bridge/credentials.toml"}
    (box.root / "opt/serial-bridge/bin").mkdir(parents=True)
    (box.root / PROGRAM.relative_to("/")).touch()
    assert unable not in box.install()


COMPONENTS = ["etc", "etc/udev", "etc/udev/rules.d", "etc/systemd", "etc/systemd/system", "etc/tmpfiles.d"]


@pytest.mark.parametrize("where", ["absolute", "relative", "dangling"])
@pytest.mark.parametrize("component", COMPONENTS)
def test_no_link_of_a_card_leads_what_is_written_out_of_it(
    component: str, where: str, box: Box, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = box.root / component
    if link.exists():  # /etc holds the site, which stays to be found
        link.rename(outside / "etc")
        target = outside / "etc"
    else:
        link.parent.mkdir(parents=True, exist_ok=True)
        target = outside / "missing" if where == "dangling" else outside
    before = sorted(outside.rglob("*"))
    link.symlink_to(os.path.relpath(target, link.parent) if where == "relative" else target)
    with pytest.raises(ConfigError, match="link"):
        box.install()
    assert sorted(outside.rglob("*")) == before


def test_what_a_card_links_to_here_is_not_read_as_its_own(box: Box, tmp_path: Path) -> None:
    here = tmp_path / "here.toml"
    box.site.rename(here)
    box.site.symlink_to(here)
    with pytest.raises(ConfigError, match=r"site\.toml: a link leads out of .*, to .*here\.toml"):
        box.install()


def test_a_file_of_a_card_that_is_a_link_is_replaced(box: Box, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    rules = box.root / RULES.relative_to("/")
    rules.parent.mkdir(parents=True)
    rules.symlink_to(outside)
    box.install()
    assert outside.read_text() == "untouched"
    assert not rules.is_symlink()


def test_two_buses_with_one_port_under_two_names_are_refused(box: Box) -> None:
    box.write(SITE.replace("path:pci-0000:00:06.0-usb-0:2:1.0", "path:pci-0000:00:06.0-usb-0:1:1.0"))
    with pytest.raises(ConfigError, match=r"bus\.soil\.adapter: .* is /dev/ttyUSB0, which is the port"):
        box.install()


PAGE = {"serial-bridge-web.socket"}


def test_the_page_is_listened_for_where_the_site_says_and_no_longer_when_it_does_not(box: Box) -> None:
    box.install()
    before = box.running
    box.write(SITE.replace("[bus.meters]", '[web]\nlisten = "lan"\n[bus.meters]', 1))
    assert box.install()[-1] == "started serial-bridge-web.socket"
    assert box.running == before | PAGE  # and nothing else was stopped
    assert box.install() == ["nothing to change"]
    box.write(SITE.replace("[bus.meters]", '[web]\nlisten = "local"\n[bus.meters]', 1))
    said = box.install()
    assert "stopped serial-bridge-web.socket: its unit changed" in said
    assert said[-1] == "started serial-bridge-web.socket"
    box.write(SITE)
    assert "stopped serial-bridge-web.socket: the page is off" in box.install()
    assert box.running == before
    assert not [path for path in box.files if "web" in path]


def test_uninstall_ends_the_page_too(box: Box) -> None:
    box.write(SITE.replace("[bus.meters]", '[web]\nlisten = "lan"\n[bus.meters]', 1))
    box.install()
    box.uninstall()
    assert box.running == set()
    assert not [path for path in box.files if "web" in path]
