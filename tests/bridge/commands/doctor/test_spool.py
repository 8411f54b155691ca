"""A spool near its limit, on a full disk, or that the services may not write."""

from __future__ import annotations

from contextlib import closing

import pytest

from bridge.clock import Instant
from bridge.commands.doctor import spool
from bridge.commands.doctor.finding import Severity
from bridge.config import Site
from bridge.spool import Reading, Spool
from tests.bridge.commands.doctor.described import STRANGER, Described

LIMIT = 'limit = "1MB"\n'


def fill(site: Site, readings: int) -> None:
    """Readings of 1 kB, as a reader keeps them."""
    body = b'{"v":"%s"}' % (b"x" * 1000)
    with closing(Spool.open(site.spool.path, limit=site.spool.limit)) as real:
        real.add(
            [Reading("soil", Instant("boot", n), 1_700_000_000_000 + n, body, 1) for n in range(readings)]
        )


def test_a_spool_with_room_and_one_that_was_never_there_are_nothing_to_say(described: Described) -> None:
    site = described.site(more=LIMIT)
    assert not list(spool.check(site, described.machine()))
    fill(site, 100)
    assert not list(spool.check(site, described.machine()))


def test_a_spool_near_its_limit_is_told_before_readings_expire(described: Described) -> None:
    site = described.site(more=LIMIT)
    fill(site, 560)
    (found,) = spool.check(site, described.machine())
    assert found.severity is Severity.RISK
    assert "of its limit of 1MB: beyond it the oldest readings expire; see why" in found.sentence
    assert found.fix == "serial-bridge status"


def test_readings_that_have_expired_are_counted(described: Described) -> None:
    site = described.site(more=LIMIT)
    for _ in range(3):
        fill(site, 560)
    (found,) = spool.check(site, described.machine())
    assert "the oldest readings expire, 1" in found.sentence


def test_a_disk_too_small_for_the_limit_is_told(described: Described) -> None:
    site = described.site(more='limit = "8TB"\n')
    (found,) = spool.check(site, described.machine())
    assert found.sentence.startswith("the spool may grow by 8000GB")


def test_a_disk_that_is_nearly_full_is_told(described: Described, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_DISK_LEAST", 10**18)
    (found,) = spool.check(described.site(), described.machine())
    assert found.severity is Severity.FAULT
    assert "is nearly full" in found.sentence


def test_a_folder_that_the_services_may_not_write_is_told(described: Described) -> None:
    site = described.site(more=LIMIT)
    fill(site, 1)
    site.spool.path.parent.chmod(0o755)
    (found,) = spool.check(site, described.machine(STRANGER))
    assert found.sentence == f"user stranger may not write {site.spool.path.parent}: no reading can be kept"
    assert found.fix == f"sudo chown -R stranger: {site.spool.path.parent}"


def test_a_spool_that_root_made_by_hand_is_told(described: Described) -> None:
    site = described.site(more=LIMIT)
    fill(site, 1)
    site.spool.path.parent.chmod(0o777)
    site.spool.path.chmod(0o644)
    (found,) = spool.check(site, described.machine(STRANGER))
    assert found.sentence.startswith(f"user stranger may not write {site.spool.path}:")


def test_a_missing_folder_is_told_with_the_command_that_makes_it(described: Described) -> None:
    site = described.site(more=LIMIT)
    site.spool.path.parent.rmdir()
    (found,) = spool.check(site, described.machine(STRANGER))
    assert found.fix == f"sudo install -d -o stranger -g stranger {site.spool.path.parent}"


def test_a_file_that_is_no_spool_is_told(described: Described) -> None:
    site = described.site(more=LIMIT)
    site.spool.path.write_bytes(b"no database, for certain" * 100)
    (found,) = spool.check(site, described.machine())
    assert "is damaged" in found.sentence
