"""Half duplex on one wire: requests, replies and what is neither (line), the own echo (echo), what each
address owes and how fast it answers (station, turn_around)."""

from __future__ import annotations

from bridge.line.line import SLACK_S, Line, Reply, Wire

__all__ = ["SLACK_S", "Line", "Reply", "Wire"]
