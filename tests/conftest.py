"""No test is timed: what is fast is measured by the benchmarks, and a loaded machine must not fail a property."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
