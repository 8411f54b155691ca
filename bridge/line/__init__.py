"""Half duplex on one wire: requests and replies (line), the own echo (echo), what is neither (stations), when
a reply came (wakefulness, stamp), and what each address owes and how fast it answers (station, reply_timeout,
recent_times)."""

from __future__ import annotations

from bridge.line.line import SLACK_S, Line, Wire
from bridge.line.patience import Patience
from bridge.line.reply import LateReply, Reply
from bridge.line.station import Station

__all__ = ["SLACK_S", "LateReply", "Line", "Patience", "Reply", "Station", "Wire"]
