"""The scripts of the Debian package, as dpkg runs them: no mistake in a site leaves it half-configured."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / ".ci" / "deb"
SITE = 'site = "barn"\n[spool]\npath = "{spool}"\n[bus.meters]\npath = "no spool"\n'
FAILS = "#!/bin/sh\necho 'site.toml:3: no such protocol' >&2\nexit 2\n"


class Gateway:
    """A system in a folder (dpkg's DPKG_ROOT), with the command that the scripts call.

    Attributes:
        etc, lib: where the site with its tokens lies, and the readings.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.etc, self.lib = root / "etc/serial-bridge", root / "var/lib/serial-bridge"
        (root / "run/systemd/system").mkdir(parents=True)
        self.etc.mkdir(parents=True)
        self.bring("#!/bin/sh\necho called: serial-bridge $*\n")

    def bring(self, program: str) -> None:
        """Put a serial-bridge there that does this."""
        path = self.root / "usr/bin/serial-bridge"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(program)
        path.chmod(0o755)

    def fill(self, spool: str = "/var/lib/serial-bridge/spool.db") -> None:
        """Leave a site, its tokens and readings."""
        (self.etc / "site.toml").write_text(SITE.format(spool=spool))
        (self.etc / "credentials.toml").write_text('[sensors]\nmeter = "TOKEN"\n')
        self.lib.mkdir(parents=True)
        (self.lib / "spool.db").touch()

    def script(self, name: str, action: str, *, answer: str | None = None, **environment: str) -> str:
        """Run a script as dpkg does; return what it says. It must succeed.

        Args:
            answer: what a person types at a terminal; without it there is none.
        """
        own, terminal = pty.openpty()
        if answer is not None:
            os.write(own, answer.encode())
        done = subprocess.run(
            [SCRIPTS / name, action],
            env={"PATH": f"{self.root}/usr/bin:/usr/bin", "DPKG_ROOT": str(self.root), **environment},
            stdin=subprocess.DEVNULL if answer is None else terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )
        os.close(own)
        os.close(terminal)
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def test_without_a_site_nothing_is_set_up(gateway: Gateway) -> None:
    said = gateway.script("postinst", "configure")
    assert said == "next: write /etc/serial-bridge/site.toml, then run: sudo serial-bridge install\n"


def test_with_a_site_the_services_are_set_up(gateway: Gateway) -> None:
    gateway.fill()
    assert gateway.script("postinst", "configure") == "called: serial-bridge install\n"


def test_a_site_that_is_refused_leaves_the_package_installed(gateway: Gateway) -> None:
    gateway.fill()
    gateway.bring(FAILS)
    assert gateway.script("postinst", "configure") == (
        "site.toml:3: no such protocol\n"
        "serial-bridge is installed, but its services are not all set up: mend what is said above, "
        "then run: sudo serial-bridge install\n"
    )


def test_a_service_that_does_not_end_leaves_the_package_removable(gateway: Gateway) -> None:
    gateway.fill()
    assert gateway.script("prerm", "remove") == "called: serial-bridge uninstall\n"
    gateway.bring(FAILS)
    assert "systemctl list-units 'serial-bridge*'" in gateway.script("prerm", "remove")


@pytest.mark.parametrize(("script", "action"), [("prerm", "upgrade"), ("postinst", "abort-upgrade")])
def test_in_between_nothing_is_called(gateway: Gateway, script: str, action: str) -> None:
    gateway.fill()
    assert gateway.script(script, action) == ""


def test_where_systemd_does_not_run_nothing_is_called(gateway: Gateway) -> None:
    gateway.fill()
    (gateway.root / "run/systemd/system").rmdir()
    assert gateway.script("postinst", "configure") == gateway.script("prerm", "remove") == ""


def test_removing_leaves_everything_and_says_nothing(gateway: Gateway) -> None:
    gateway.fill()
    assert gateway.script("postrm", "remove") == ""
    assert gateway.script("postrm", "upgrade") == ""
    assert (gateway.lib / "spool.db").exists()


@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_purged_by_a_person_who_says_yes_no_token_and_no_reading_is_left(
    gateway: Gateway, answer: str
) -> None:
    gateway.fill()
    said = gateway.script("postrm", "purge", answer=answer)
    assert said.startswith("Remove /etc/serial-bridge /var/lib/serial-bridge: the site, the access tokens")
    assert not gateway.etc.exists()
    assert not gateway.lib.exists()


@pytest.mark.parametrize("answer", [None, "\n", "no\n", "\x04"], ids=["nobody", "return", "no", "end"])
def test_purged_without_a_yes_it_is_told_what_stays(gateway: Gateway, answer: str | None) -> None:
    gateway.fill()
    said = gateway.script("postrm", "purge", answer=answer)
    assert said.endswith(
        "the site, the access tokens and undelivered readings stay; "
        "to remove them: sudo rm -r /etc/serial-bridge /var/lib/serial-bridge\n"
    )
    assert (gateway.etc / "credentials.toml").exists()
    assert (gateway.lib / "spool.db").exists()


def test_nobody_is_asked_who_asked_not_to_be(gateway: Gateway) -> None:
    gateway.fill()
    said = gateway.script("postrm", "purge", answer="y\n", DEBIAN_FRONTEND="noninteractive")
    assert said.startswith("the site, the access tokens and undelivered readings stay;")
    assert gateway.etc.exists()


def test_readings_elsewhere_are_told_whatever_is_answered(gateway: Gateway) -> None:
    gateway.fill(spool="/srv/readings/spool.db")
    said = gateway.script("postrm", "purge", answer="y\n")
    assert said.startswith(
        "the readings in /srv/readings/spool.db stay; to remove them: sudo rm /srv/readings/spool.db*\n"
    )


def test_nothing_left_is_nothing_said(gateway: Gateway) -> None:
    gateway.etc.rmdir()
    assert gateway.script("postrm", "purge", answer="y\n") == ""
