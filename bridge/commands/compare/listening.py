"""Listening to a bus for a comparison: from its port, its reader or a capture."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from pathlib import Path

from bridge.commands.compare.comparison import Comparing, Comparison
from bridge.commands.compare.verdict import judged
from bridge.commands.decode.traffic import Traffic
from bridge.commands.sniff.source import Source, records
from bridge.config import Bus


async def compare(bus: Bus, source: Source, seconds: float, site: Path) -> Comparison:
    """Return the comparison after so many seconds of listening, or less if it is interrupted.

    The next step in it is for this site file. Errors as of `records`.
    """
    comparing, traffic = Comparing(bus), Traffic(source.protocol)
    first_us = last_us = 0
    with suppress(asyncio.CancelledError):  # Ctrl-C ends it; what was heard is still compared
        async with aclosing(records(source, seconds)) as heard_records:
            async for record in heard_records:
                first_us, last_us = first_us or record.at_us, record.at_us
                for heard in traffic.hear(record) if record.data else traffic.silence():
                    comparing.hear(heard.event, heard.start_us / 1e6)
    for heard in traffic.silence():
        comparing.hear(heard.event, heard.start_us / 1e6)
    return judged(comparing.document((last_us - first_us) / 1e6), site)
