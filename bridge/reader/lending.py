"""The line of a bus in service, lent for one question at a time: `try`, `peek` and `sniff` ask here.

    try ──query──▶ socket in the runtime folder ──▶ reader: its own queue ──▶ line
        ◀─answer──

A port has one opener, the reader. So a person's question goes through the reader's own queue, request
by request: each is sent when no sensor of the bus is due and none loses a slot by it, even if it is not
answered. On a line that never has that much room it goes after `FORCED_AFTER_S`, and its reply is waited for
no longer than there is room. A question asks only what the protocol of the bus asks of a sensor
(`attempt.py`). The socket is open to the service's user and group.

    query     one line of JSON, a `Query`
    answer    one line of JSON: {"answer": Answer}, or {"error": a sentence}

Whoever asks to listen in (`tap.QUESTION`) is shown what passes until they leave (`tap.py`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bridge.errors import BridgeError, PortLost
from bridge.line import Reply
from bridge.reader.answer import Answer
from bridge.reader.attempt import LONGEST_QUERY, Query
from bridge.reader.tap import QUESTION, Tap
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Request

_log = logging.getLogger(__name__)

FORCED_AFTER_S = 2.0
_LEAST_S = 0.05
ANSWER_WITHIN_S = 120.0
_QUERY_WITHIN_S = 5.0
_MOST_AT_ONCE = 4
_MOST_OVERHEARD = 32  # frames that who searches has not looked at yet


@dataclass(slots=True)
class Loan:
    """One request that waits for the line.

    Attributes:
        request: what to send.
        address: to whom.
        query: the question that it belongs to.
        longest_s: how long the line is held if nothing answers, for all that is known.
        since: when it began to wait, loop time.
        reply: what came of it.
    """

    request: Request
    address: str
    query: Query
    longest_s: float
    since: float
    reply: asyncio.Future[Reply | None]

    def is_forced(self, now: float) -> bool:
        """Return whether it has waited so long that it goes though others are due."""
        return not self.query.is_patient and now - self.since >= FORCED_AFTER_S

    def settle(self, reply: Reply | None = None, error: BridgeError | None = None) -> None:
        """Hand the reply, or the reason why there is none, to who waits."""
        if self.reply.done():
            return
        if error is not None:
            self.reply.set_exception(error)
        else:
            self.reply.set_result(reply)


class Loans:
    """The requests that wait for the line of one bus.

    Args:
        wake: called when there is a new one.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: deque[Loan] = deque()
        self._listeners: list[deque[Frame]] = []

    @property
    def next(self) -> Loan | None:
        """Return the request that is to go first; None if none waits."""
        while self._waiting and self._waiting[0].reply.done():  # nobody waits for it any more
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    def add(self, loan: Loan) -> None:
        """Have a request wait for its turn."""
        self._waiting.append(loan)
        self._wake()

    def take(self) -> Loan:
        """Return the request that is to go first, and remove it."""
        return self._waiting.popleft()

    @contextmanager
    def listening(self) -> Iterator[deque[Frame]]:
        """Collect, for as long as the context lasts, the latest frames that are no reply waited for."""
        frames: deque[Frame] = deque(maxlen=_MOST_OVERHEARD)
        self._listeners.append(frames)
        try:
            yield frames
        finally:
            self._listeners = [listener for listener in self._listeners if listener is not frames]

    def hear(self, frame: Frame) -> None:
        """Take a frame that is no reply waited for."""
        for listener in self._listeners:
            listener.append(frame)

    def fail(self, error: BridgeError) -> None:
        """Give up all requests, because the line is lost."""
        while (loan := self.next) is not None:
            self.take()
            loan.settle(error=error)


class Borrower:
    """Who asks for one query: a device that has answered it once is expected to answer as quickly again."""

    def __init__(self, loans: Loans, query: Query, wire_s: float = 0.0) -> None:
        """Ask for a query, each of whose requests takes `wire_s` on the wire beside its time-out."""
        self._loans = loans
        self._query = query
        self._longest_s = (1 + query.retries) * (query.reply_timeout_s + query.gap_s + wire_s)

    async def ask(self, request: Request, address: str) -> Reply | None:
        """Return the reply to a request once the line had room for it. Errors as for `Line.exchange`."""
        loop = asyncio.get_running_loop()
        loan = Loan(request, address, self._query, self._longest_s, loop.time(), loop.create_future())
        self._loans.add(loan)
        reply = await loan.reply
        if reply is not None:
            self._longest_s = min(self._longest_s, max(_LEAST_S, 3 * reply.turn_around_s))
        return reply


class Lender:
    """Answers the questions that come through a socket.

    Args:
        listener: a listening unix socket.
        answer: answers the text of one question; raises BridgeError with the sentence to give back, and
            ValueError if it is none.
        tap: what passes on the line.
    """

    def __init__(
        self, listener: socket.socket, answer: Callable[[bytes], Awaitable[object]], tap: Tap
    ) -> None:
        self._listener = listener
        self._answer = answer
        self._tap = tap
        self._asking = 0

    async def run(self) -> None:
        """Answer until cancelled."""
        server = await asyncio.start_unix_server(self._serve, sock=self._listener, limit=LONGEST_QUERY)
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_QUERY_WITHIN_S):
                text = await reader.readline()
            if text == QUESTION:
                await self._tap.serve(reader, writer)
                return
            answering = asyncio.ensure_future(self._answered(text))
            leaving = asyncio.ensure_future(reader.read(1))  # who asked has gone
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if not answering.done():
                answering.cancel()
                return
            writer.write(json.dumps(answering.result()).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, ValueError, OSError) as error:
            _log.debug("a question was not answered: %s", error)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answered(self, text: bytes) -> dict[str, object]:
        if self._asking >= _MOST_AT_ONCE:
            return {"error": "others are asking already: try again in a moment"}
        self._asking += 1
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return {"answer": await self._answer(text)}
        except TimeoutError:
            return {
                "error": f"the line had no room within {ANSWER_WITHIN_S:.0f} s: raise `every` of its sensors"
            }
        except (BridgeError, ValueError) as error:
            return {"error": str(error)}
        except Exception as error:  # a protocol of anybody's must not end the service
            _log.exception("a question failed")
            return {"error": f"its protocol failed ({error}): the log of the service has more"}
        finally:
            self._asking -= 1


async def borrow(connection: socket.socket, query: Query) -> Answer:
    """Return what the process that reads a bus answers to a query. Arguments and errors as of `question`."""
    answer: Answer = await question(connection, query.bus, query.text())
    return answer


async def question(connection: socket.socket, bus: str, text: str) -> Any:
    """Return what the process that reads a bus answers.

    Args:
        connection: to its socket; closed at the end.
        bus: its name.
        text: what is asked, one line.

    Raises:
        PortLost: that process has no line to lend, or cannot ask this; the message says why.
    """
    connection.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=connection, limit=16 * LONGEST_QUERY)
    try:
        writer.write(text.encode() + b"\n")
        async with asyncio.timeout(ANSWER_WITHIN_S + _QUERY_WITHIN_S):
            line = await reader.readline()
        if not line:
            raise reader_stopped(bus)
        message = json.loads(line)
    except TimeoutError as error:
        raise PortLost(f"bus {bus}: its reader does not answer: {_see_log(bus)}") from error
    except (ValueError, OSError) as error:
        raise PortLost(f"bus {bus}: its reader did not answer ({error}): {_see_log(bus)}") from error
    finally:
        writer.close()
    if "error" in message:
        raise PortLost(f"bus {bus}: {message['error']}".replace(f"bus {bus}: bus ", "bus ", 1))
    return message["answer"]


def reader_stopped(bus: str) -> PortLost:
    """Return what to say of a reader that ended before it answered."""
    return PortLost(f"bus {bus}: its reader has stopped: {_see_log(bus)}")


def _see_log(bus: str) -> str:
    return f"see its log: journalctl -u serial-bridge@{bus}"
