"""What passes on the line of a bus in service, shown to who listens in: `sniff` and `compare`.

    port ──octets read and sent──▶ Tap ──records as JSON lines──▶ socket in the runtime folder

The reader never waits for a listener: one that does not take what it is sent is dropped. While nobody listens
the port has no tap, and what passes costs nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final, Protocol

from bridge.captures import Direction, Record
from bridge.captures.json_lines import record_of, text_of
from bridge.errors import PortLost

_log = logging.getLogger(__name__)

QUESTION: Final = b'{"tap": true}\n'
MOST_LISTENERS: Final = 4
MOST_UNSENT: Final = 256 * 1024  # octets of text that wait for one listener; some seconds of the fastest line
_LONGEST_LINE: Final = 1024 * 1024  # octets of text for all that a port may hand over at once


class Tapped(Protocol):
    """A port that can be listened in on."""

    tap: Callable[[bytes, Direction], None] | None


class Tap:
    """The listeners of one port.

    Args:
        port: what they listen to.
    """

    def __init__(self, port: Tapped) -> None:
        self._port = port
        self._listeners: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Show a listener what passes, until it leaves or is too slow."""
        if len(self._listeners) >= MOST_LISTENERS:
            writer.write(b'{"error": "others listen in already: end one of them first"}\n')
            return
        self._listeners.add(writer)
        self._port.tap = self._hand_over
        try:
            while await reader.read(4096):  # a listener has nothing to say
                pass
        except OSError as error:
            _log.debug("a listener is gone: %s", error)
        finally:
            self._listeners.discard(writer)
            if not self._listeners:
                self._port.tap = None

    def _hand_over(self, data: bytes, direction: Direction) -> None:
        """Send octets to all listeners, without waiting for any."""
        text = text_of(Record(time.time_ns() // 1000, data, direction)).encode("ascii")
        for writer in tuple(self._listeners):
            if writer.transport.get_write_buffer_size() > MOST_UNSENT:
                self._listeners.discard(writer)
                _log.info("a listener does not take what it is shown, and is dropped")
                writer.transport.abort()
            else:
                writer.write(text)


async def listen_in(connection: socket.socket, bus: str, pause_s: float) -> AsyncGenerator[Record]:
    """Yield what passes on the line of a bus in service; a record without octets is a pause.

    Args:
        connection: to the socket of the process that reads the bus; closed at the end.
        bus: its name.
        pause_s: after so long without octets a pause is told.

    Raises:
        PortLost: that process ended, dropped this listener, or shows nothing; the message says which.
    """
    connection.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=connection, limit=_LONGEST_LINE)
    reading: asyncio.Task[bytes] | None = None
    try:
        writer.write(QUESTION)
        while True:
            reading = reading or asyncio.ensure_future(reader.readline())
            await asyncio.wait((reading,), timeout=pause_s)
            if not reading.done():
                yield Record(time.time_ns() // 1000, b"")
                continue
            line, reading = reading.result(), None
            yield _record(line, bus)
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise PortLost(f"bus {bus}: the process that reads it shows nothing more ({error})") from error
    finally:
        if reading is not None:
            reading.cancel()
        writer.close()


def _record(line: bytes, bus: str) -> Record:
    if not line.endswith(b"\n"):
        raise PortLost(
            f"bus {bus}: the process that reads it has ended, or this one took too long to read: start again"
        )
    if line.startswith(b'{"error"'):
        raise PortLost(f"bus {bus}: {json.loads(line)['error']}")
    return record_of(line)
