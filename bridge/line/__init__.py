"""Half duplex on one wire: the turn-taking of requests and replies.

line         requests and replies; the echo of its own requests (`echo`), foreign frames (`stations`)
station      what each address owes and how fast it answers (`reply_timeout`, `recent_times`)
wakefulness  whether the process was awake when a reply came, for its `stamp`
"""

from __future__ import annotations

from bridge.line.line import SLACK_S, Line, Wire
from bridge.line.patience import Patience
from bridge.line.reply import LateReply, Reply
from bridge.line.station import HOLD_S, Station

__all__ = ["HOLD_S", "SLACK_S", "LateReply", "Line", "Patience", "Reply", "Station", "Wire"]
