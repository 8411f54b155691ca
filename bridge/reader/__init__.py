"""Reads one bus into the spool.

reader       the task of one bus: its port comes and goes
polling      polled sensors: who and when by `schedule`, which share a device by `group`, each poll by `poll`
push_reader  pushing sensors, whose frames `frame_reader` times
intake       values become readings: all of them, or those that changed (`on_change`)
"""

from __future__ import annotations

from bridge.reader.reader import Reader

__all__ = ["Reader"]
