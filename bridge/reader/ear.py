"""Cuts what a port delivers into frames, each with the time at which its first octet came."""

from __future__ import annotations

import asyncio
from collections import deque

from bridge.clock import Clock, Instant
from bridge.port import Port
from protocols.toolkit.framing import Event, Framer
from protocols.toolkit.polling import LineSettings

PAUSE_S = 0.5
"""A frame that does not go on for so long was cut, unless the line is so slow that its UART needs longer."""

_LATE_S = 0.1  # chunks of a USB adapter come late, and this process may be late too


class Ear:
    """Receive the frames of one line, from the opening of its port to its loss."""

    def __init__(self, port: Port, framer: Framer, clock: Clock, line: LineSettings) -> None:
        self._pause_s = max(PAUSE_S, line.gathering_s + _LATE_S)
        self._port = port
        self._framer = framer
        self._clock = clock
        self._arrivals: deque[tuple[int, Instant]] = deque()  # how many octets came before, and when
        self._octets = self._settled_octets = 0

    async def telegrams(self, wait_s: float) -> list[tuple[Event, Instant]]:
        """Return the events that the next octets complete, or that silence completes; often none.

        Args:
            wait_s: how long to wait for octets, in seconds; less while a frame is incomplete.

        Returns:
            Each event with the arrival of its first octet.

        Raises:
            PortLost: from the port.
        """
        if self._framer.pending:
            wait_s = min(wait_s, self._pause_s)
        data = await self._port.read(asyncio.get_running_loop().time() + wait_s)
        if data:
            self._arrivals.append((self._octets, self._clock.now()))
            self._octets += len(data)
        events = []
        for event in self._framer.feed(data) if data else self._framer.silence():
            while len(self._arrivals) > 1 and self._arrivals[1][0] <= self._settled_octets:
                self._arrivals.popleft()
            self._settled_octets += len(event.data)
            events.append((event, self._arrivals[0][1]))
        return events
