"""Captures: what was heard and sent on a line, octet for octet with its time, in a file.

    pcapng       for Wireshark: link type RTAC serial (250), a packet for each piece
    JSON lines   for everything else: {"t": 1700000000.123456, "dir": "rx", "hex": "01 03"}

Both are written as the octets come, and read back the same. Times are seconds since 1970, to the microsecond.
"""

from __future__ import annotations

from bridge.captures.formats import open_capture, read
from bridge.captures.record import Capture, Direction, Record

__all__ = ["Capture", "Direction", "Record", "open_capture", "read"]
