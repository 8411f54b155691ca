"""A command that is told to be typed runs what it says, whatever a program, a unit or a folder is called."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from bridge.coap import Refused
from bridge.commands.doctor import conflicts, credentials, kernel_log, port, spool, uplink
from bridge.commands.doctor.finding import Finding, Person
from tests.bridge.commands.doctor.described import Described

HOSTILE = ["x;curl a|sh #", "$(id)", "`id`", "a b", "a'b\"c", "&& reboot", "x\\", "*", "~", "a>b"]


def words(finding: Finding) -> list[str]:
    """Return what a shell makes of a finding's command; everything in it that a shell obeys is quoted."""
    lexer = shlex.shlex(finding.fix, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found = list(lexer)
    assert found == shlex.split(finding.fix)
    assert shlex.join(found) == finding.fix
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_program_that_the_kernel_names_is_one_word(described: Described, name: str) -> None:
    line = f"[ 99.5] usb 3-8.3: usbfs: interface 0 claimed by ch341 while '{name}' sets config #1\n"
    (described.folder / "kmsg").write_text(line)
    (finding,) = kernel_log.check(described.site(), described.machine(), 100.0)
    assert words(finding) == ["sudo", "systemctl", "mask", "--now", f"{name}.service"]


def test_a_program_is_no_option(described: Described) -> None:
    line = "[ 99.5] usb 3-8.3: usbfs: interface 0 claimed by ch341 while '--root=/x' sets config #1\n"
    (described.folder / "kmsg").write_text(line)
    (finding,) = kernel_log.check(described.site(), described.machine(), 100.0)
    assert words(finding)[-2:] == ["--", "--root=/x.service"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_unit_is_one_word(described: Described, name: str) -> None:
    described.process(411, "brltty", cgroup=f"0::/system.slice/{name}.service")
    described.adapter("1-1", "0403", "6001", "ftdi_sio", tty="ttyUSB0", serial="AB0JPQ7X")
    (described.folder / "held").touch()
    (described.folder / "proc/411/fd/7").symlink_to(described.folder / "held")
    site = described.site(str(described.folder / "held"))
    (held,) = port.check(site, described.machine())
    assert words(held)[-1] == f"{name}.service"
    found = conflicts.check(described.site("serial:AB0JPQ7X"), described.machine())
    (risk,) = (finding for finding in found if "brltty" in finding.sentence)
    assert words(risk)[-1] == f"{name}.service"


@pytest.mark.parametrize("name", [name for name in HOSTILE if not {*name} & {*'"\\'}])  # not in TOML's quotes
def test_a_folder_is_one_word(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    described = Described(folder)
    site = described.site()
    (folder / "spool").rmdir()
    (missing,) = spool.check(site, described.machine(Person("stranger", 64999, [64999])))
    assert words(missing)[-1] == str(folder / "spool")
    (absent,) = credentials.check(site, folder / "credentials.toml")
    assert words(absent)[-1] == str(folder / "credentials.toml")
    (folder / "credentials.toml").touch(mode=0o644)
    (folder / "credentials.toml").chmod(0o644)
    (open_to_all,) = credentials.check(site, folder / "credentials.toml")
    assert words(open_to_all) == ["sudo", "chmod", "600", str(folder / "credentials.toml")]
    assert shlex.split(uplink._fix(site, Refused("no"))) == ["sudoedit", str(site.path)]


def test_a_path_cannot_pass_for_the_command_at_the_end_of_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "x, run: chmod 600 " / "etc"
    folder.mkdir(parents=True)
    described = Described(folder)
    site = described.site()
    path = folder / "credentials.toml"
    path.touch()
    path.chmod(0o644)
    (finding,) = credentials.check(site, path)
    assert finding.fix.startswith("serial-bridge check") or shlex.split(finding.fix)[-1] == str(path)
