"""No property is timed: speed is for the benchmarks, and a loaded machine must not fail a test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
