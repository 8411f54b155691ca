"""Reads a port as a stream of frames, each with the time at which its first octet came.

What comes while this process is stopped or starved waits in the kernel, and nothing tells when it came: its
arrival says for how long nobody was awake to see it. A slow timer finds that out, because a telegram may come
at any time and an idle line is to cost little.
"""

from __future__ import annotations

import asyncio

from bridge.clock import Clock
from bridge.line.timed_framer import Arrival, TimedFramer
from bridge.line.wakefulness import Wakefulness
from bridge.port import Port
from protocols.toolkit.framing import Event, Framer
from protocols.toolkit.polling import LineSettings

PAUSE_S = 0.5
"""A frame that does not go on for so long was cut, unless the line is so slow that its UART needs longer."""

_TICK_S = 0.1
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
        self._framer: TimedFramer[Arrival] = TimedFramer(framer)
        self._clock = clock
        self._wakefulness = Wakefulness(_TICK_S)

    async def read(self, wait_s: float) -> list[tuple[Event, Arrival]]:
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
        self._wakefulness.start()
        try:
            data = await self._port.read(loop.time() + wait_s)
            arrival = Arrival(loop.time(), self._clock.now(), self._wakefulness.gap_s())
        finally:
            self._wakefulness.stop()
        return self._framer.feed(data, arrival) if data else self._framer.silence()
