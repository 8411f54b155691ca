"""Which Python `make` takes: Debian's own, whatever other comes first on the path, and one at a time."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parent.parent / "Makefile"
DEBIANS_OWN = Path("/usr/bin/python3")
ANOTHER = f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} "$@"\nexit 1\n'


class Clone:
    """A clone, with another Python first on the path; nothing is carried out there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.other = folder / "bin/python3"
        self.other.parent.mkdir()
        self.other.write_text(ANOTHER)
        self.other.chmod(0o755)
        (folder / "pyproject.toml").touch()

    def commands(self, target: str, *variables: str) -> list[str]:
        """Return what make would run."""
        done = subprocess.run(
            ["make", "--dry-run", f"--makefile={MAKEFILE}", target, *variables],
            cwd=self.folder,
            env={"PATH": f"{self.other.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout.splitlines()

    def made_with(self, python: Path, version: str) -> None:
        """Leave an environment of that Python, with all that is installed in it."""
        venv = self.folder / ".venv"
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        (venv / "pyvenv.cfg").write_text(f"home = {python.parent}\nversion = {version}\n")
        for name in ("bin/python", ".run", ".dev"):
            (venv / name).touch()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.mark.skipif(not DEBIANS_OWN.exists(), reason="no Debian")
def test_the_environment_is_made_with_debians_own_python(clone: Clone) -> None:
    assert f"{DEBIANS_OWN} -m venv --clear .venv" in clone.commands("demo")
    assert f"{DEBIANS_OWN} -m venv --clear .venv" in clone.commands("lint")


def test_another_python_may_be_asked_for(clone: Clone) -> None:
    assert f"{clone.other} -m venv --clear .venv" in clone.commands("demo", f"PYTHON={clone.other}")


def test_an_environment_is_made_again_only_where_another_python_made_it(clone: Clone) -> None:
    wanted = f"PYTHON={sys.executable}"
    base = Path(sys.executable).parent
    clone.made_with(base / "python3", platform.python_version())
    assert clone.commands("demo", wanted) == [".venv/bin/serial-bridge demo"]
    for home, version in ((base, "3.10.1"), (Path("/opt/python/bin"), platform.python_version())):
        clone.made_with(home / "python3", version)
        commands = clone.commands("demo", wanted)
        assert f"{sys.executable} -m venv --clear .venv" in commands
        assert any("pip install" in command for command in commands)


def test_before_a_commit_the_same_is_run_as_by_make_lint(clone: Clone) -> None:
    hooks = (MAKEFILE.parent / ".pre-commit-config.yaml").read_text("utf-8")
    commands = [line for line in clone.commands("lint") if line.startswith(".venv/bin/")]
    assert re.findall(r"\bentry: ([^,]+)", hooks) == [line for line in commands if "pip install" not in line]
