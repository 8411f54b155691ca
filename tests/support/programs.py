"""Programs that are not ours and that tests call: where they are, or which Debian package brings them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

PACKAGES: dict[str, str] = dict(
    line.split()
    for line in Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
)


def program(name: str) -> str:
    """Return the path of a program; where it is missing, skip the test that asks, or fail it in CI."""
    path = shutil.which(name)
    if path is None:
        missing = f"{name} is missing: apt install {PACKAGES[name]}"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
