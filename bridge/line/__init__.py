"""Half duplex on one wire: requests, replies and what is neither (line), the own echo (echo), what each
address owes and how fast it answers (station, reply_timeout, turn_around)."""

from __future__ import annotations

from bridge.line.line import SLACK_S, LateReply, Line, Reply, Wire
from bridge.line.patience import Patience
from bridge.line.station import Station

__all__ = ["SLACK_S", "LateReply", "Line", "Patience", "Reply", "Station", "Wire"]
