"""What tests need of the machine: installed by `make test`, or else named where a test is skipped."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.programs import PACKAGES, program

SCRIPT = Path(__file__).parent.parent / ".ci" / "packages"
APT_GET = """#!/bin/sh
echo "$@" >> "$0.log"
[ -e "$POLICY" ] && sh "$POLICY"
echo "daemons: $?" >> "$0.log"
"""


def test_a_program_that_is_missing_skips_the_test_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"^umockdev-run is missing: apt install umockdev$"):
        program("umockdev-run")


def test_in_ci_a_program_that_is_missing_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"^udevadm is missing: apt install udev$"):
        program("udevadm")


class Debian:
    """A machine on which nothing but apt-get and what a shell needs is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policy = folder / "policy-rc.d"
        for name in ("bash", "sh", "grep", "sort", "dirname", "rm", "chmod"):
            (folder / name).symlink_to(f"/usr/bin/{name}")
        self.write("apt-get", APT_GET)
        self.write("id", "#!/bin/sh\necho 0\n")

    def write(self, name: str, text: str = "#!/bin/sh\n") -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def packages(self, *names: str) -> str:
        """Run the script; return what it says."""
        environment = {"PATH": str(self.folder), "POLICY": str(self.policy)}
        done = subprocess.run(
            [SCRIPT, *names], env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    @property
    def log(self) -> list[str]:
        path = self.folder / "apt-get.log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    return Debian(tmp_path)


def test_root_installs_what_is_missing_and_starts_no_daemon(debian: Debian) -> None:
    packages = "chromium libcoap3-bin systemd tshark udev umockdev"
    assert debian.packages() == f"installing what the tests call: {packages}\n"
    update, _, install, daemons = debian.log
    assert update == "update -qq"
    assert install == f"install -y -qq --no-install-recommends {packages}"
    assert daemons == "daemons: 101", "what policy-rc.d says when a package would start its daemon"
    assert not debian.policy.exists()


def test_a_policy_that_was_there_before_stays(debian: Debian) -> None:
    debian.policy.write_text("exit 7\n")
    debian.packages()
    assert debian.log[-1] == "daemons: 7"
    assert debian.policy.read_text() == "exit 7\n"


def test_only_what_is_missing_is_installed(debian: Debian) -> None:
    for name in PACKAGES:
        if name != "udevadm":
            debian.write(name)
    assert debian.packages() == "installing what the tests call: udev\n"
    debian.write("udevadm")
    assert debian.packages() == ""


def test_a_package_may_be_named(debian: Debian) -> None:
    assert debian.packages("make") == "installing what the tests call: make\n"


@pytest.mark.parametrize("reason", ["no root", "no Debian"])
def test_who_may_not_install_is_told_what_is_skipped(debian: Debian, reason: str) -> None:
    if reason == "no root":
        debian.write("id", "#!/bin/sh\necho 1000\n")
    else:
        (debian.folder / "apt-get").unlink()
    for name in set(PACKAGES) - {"umockdev-run"}:
        debian.write(name)
    assert debian.packages() == (
        "umockdev is not installed: the tests that need it are skipped; "
        "on Debian, run this as root to install it\n"
    )
    assert debian.log == []
