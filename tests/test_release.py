"""The version: said once, and the same wherever it is asked for."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from bridge.clock import BUILD_DATE
from bridge.release import RELEASED, VERSION

ROOT = Path(__file__).parent.parent
SAYS = f"serial-bridge {VERSION}\n"


def run(*command: str | Path, cwd: Path) -> str:
    """Run Python with these arguments in a folder; return what it prints."""
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_changelogs_newest_release_is_this_one() -> None:
    (version, day), *_ = re.findall(
        r"^## \[(\d[^]]*)\] - ([\d-]+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert (version, day) == (VERSION, f"{RELEASED:%Y-%m-%d}")


def test_no_clock_before_the_release_is_believed() -> None:
    assert BUILD_DATE == RELEASED


def test_the_package_takes_its_version_from_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert ("version" in project, project["dynamic"]) == (False, ["version"])


@pytest.mark.end_to_end
def test_a_clone_says_its_version() -> None:
    assert run("-m", "bridge", "--version", cwd=ROOT) == SAYS


@pytest.mark.end_to_end
@pytest.mark.parametrize("service", [["run"], ["uplink"], ["read", "meters"]], ids=lambda service: service[0])
def test_a_service_logs_its_version_first(service: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bridge", *service, "--site", tmp_path / "none.toml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert f"serial-bridge {VERSION}, Python {platform.python_version()}" in done.stderr.splitlines()[0]


@pytest.mark.end_to_end
def test_a_source_distribution_says_its_version(tmp_path: Path) -> None:
    run("-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=ROOT)
    name = f"serial_bridge-{VERSION}"
    subprocess.run(["tar", "-xzf", f"{name}.tar.gz"], cwd=tmp_path, check=True, timeout=30)
    assert run("-m", "bridge", "--version", cwd=tmp_path / name) == SAYS


@pytest.mark.end_to_end
def test_a_wheel_says_its_version(tmp_path: Path) -> None:
    run("-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=ROOT)
    (wheel,) = tmp_path.glob(f"serial_bridge-{VERSION}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert run("-m", "bridge", "--version", cwd=tmp_path / "unpacked") == SAYS
