from __future__ import annotations

from pathlib import Path

import pytest

from tests.bridge.commands.doctor.described import Described


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Described:
    """A machine without anything; no service of a site on it runs."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run/serial-bridge"))
    return Described(tmp_path)
