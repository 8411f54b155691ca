"""One bus into the spool: a task (reader) whose sensors are asked (polling: who and when by schedule, which
share a device by group, one poll by poll) or speak unasked (hearing); what they tell becomes readings
(intake), all of it or what changed (on_change)."""

from __future__ import annotations

from bridge.reader.reader import Reader

__all__ = ["Reader"]
