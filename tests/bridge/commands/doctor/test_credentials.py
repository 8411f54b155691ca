"""Secrets that others may read, that are missing, or wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.commands.doctor import credentials
from tests.bridge.commands.doctor.described import Described
from tests.support.certificates import Authority

SENSOR = """[[bus.bus1.sensor]]
name = "soil"
address = 1
model = "eastron-sdm230"
every = "1m"
"""


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "credentials.toml").touch(mode=0o600)
    return tmp_path / "credentials.toml"


def test_secrets_that_are_right_and_private_are_nothing_to_say(described: Described, secrets: Path) -> None:
    assert not list(credentials.check(described.site(), secrets))


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_secrets_that_others_may_read_are_told_with_the_command(
    described: Described, secrets: Path, mode: int
) -> None:
    secrets.chmod(mode)
    (found,) = credentials.check(described.site(), secrets)
    assert "others may read this file" in found.sentence
    assert found.fix == f"sudo chmod 600 {secrets}"


def test_a_sensors_key_that_others_may_read_is_told_with_the_command(
    described: Described, secrets: Path, tmp_path: Path
) -> None:
    device = Authority(tmp_path).issue("soil")
    device.key.chmod(0o644)
    secrets.write_text(
        f'[sensors]\nsoil = {{ certificate = "{device.certificate}", key = "{device.key}" }}\n'
    )
    described.site("/dev/ttyAMA0")
    site = described.folder / "site.toml"
    site.write_text(site.read_text() + SENSOR)
    found = list(credentials.check(described.site("/dev/ttyAMA0"), secrets))
    assert f"sudo chmod 600 {device.key}" in [finding.fix for finding in found]


def test_missing_secrets_are_told_with_how_to_make_the_file(described: Described, tmp_path: Path) -> None:
    (found,) = credentials.check(described.site(), tmp_path / "none.toml")
    assert "readings wait in the spool" in found.sentence
    assert found.fix == f"sudo install -m 600 /dev/null {tmp_path}/none.toml"
