"""Reads a port as a stream of frames, each with the time at which its first octet came."""

from __future__ import annotations

import asyncio

from bridge.clock import Clock, Instant
from bridge.line.timed_framer import Arrival, TimedFramer
from bridge.port import Port
from protocols.toolkit.framing import Event, Framer
from protocols.toolkit.polling import LineSettings

PAUSE_S = 0.5
"""A frame that does not go on for so long was cut, unless the line is so slow that its UART needs longer."""

_LATE_S = 0.1  # chunks of a USB adapter come late, and this process may be late too


class FrameReader:
    """Read the frames of one port, from its opening to its loss.

    Args:
        port: open.
        framer: of the bus's protocol.
        clock: times the octets.
        line: the line settings, for how long a slow UART gathers octets.
    """

    def __init__(self, port: Port, framer: Framer, clock: Clock, line: LineSettings) -> None:
        self._pause_s = max(PAUSE_S, line.gathering_s + _LATE_S)
        self._port = port
        self._framer = TimedFramer(framer)
        self._clock = clock

    async def read(self, wait_s: float) -> list[tuple[Event, Instant]]:
        """Return the events that the next octets complete, or that silence completes; often none.

        Args:
            wait_s: how long to wait for octets, in seconds; less while a frame is incomplete.

        Returns:
            Each event with the arrival of its first octet.

        Raises:
            PortLost: from the port.
        """
        loop = asyncio.get_running_loop()
        if self._framer.pending:
            wait_s = min(wait_s, self._pause_s)
        data = await self._port.read(loop.time() + wait_s)
        events = (
            self._framer.feed(data, Arrival(loop.time(), self._clock.now()))
            if data
            else self._framer.silence()
        )
        return [(event, arrival.taken) for event, arrival in events]
