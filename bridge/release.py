"""Which release this is: the packages, `--version`, the log and the clock all take it from here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

VERSION: Final = "0.1.0"
"""Semantic versioning; its section in CHANGELOG.md says what changed."""

RELEASED: Final = datetime(2026, 11, 22, tzinfo=UTC)
"""The day of the release. No clock that shows an earlier one is believed."""
