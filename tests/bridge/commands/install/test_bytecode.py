"""The bytecode of installed packages: there and of its source after `install`, and only then written."""

from __future__ import annotations

import os
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from bridge.commands.install import bytecode


def test_what_is_missing_or_stale_is_compiled_and_the_rest_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bytecode, "PACKAGES", tmp_path)
    inner = tmp_path / "package" / "inner"
    inner.mkdir(parents=True)
    whole, edited, broken = inner / "whole.py", tmp_path / "edited.py", tmp_path / "broken.py"
    whole.write_text("VALUE = 1\n")
    edited.write_text("VALUE = 1\n")
    broken.write_text("VALUE =\n")
    bytecode.compile_missing()
    assert stamp(whole) == source_stamp(whole)
    assert stamp(edited) == source_stamp(edited)
    assert not Path(cache_from_source(broken)).exists()

    first = Path(cache_from_source(whole)).stat().st_mtime_ns
    edited.write_text("VALUE = 22\n")
    os.utime(edited, (1_700_000_000, 1_700_000_000))
    bytecode.compile_missing()
    assert stamp(edited) == source_stamp(edited)
    assert Path(cache_from_source(whole)).stat().st_mtime_ns == first


def stamp(source: Path) -> tuple[int, int]:
    """Return the time and size of the source that its bytecode was compiled from (PEP 552)."""
    header = Path(cache_from_source(source)).read_bytes()[:16]
    assert header[4:8] == bytes(4)  # by time and size, not by hash
    return int.from_bytes(header[8:12], "little"), int.from_bytes(header[12:16], "little")


def source_stamp(source: Path) -> tuple[int, int]:
    """Return when a source was written, seconds since 1970, and its size."""
    status = source.stat()
    return int(status.st_mtime), status.st_size
