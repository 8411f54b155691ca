"""A CoAP client for one server: each request is answered within its deadline or fails with a reason.

A request waits until few enough are in flight, then for its turn in the pace, then for the association if
there is none, and only then is it sent. So nothing waits inside aiocoap, and a request that was given up is
never sent later.
The association stays until its socket fails, the server is silent, its name points elsewhere, or `reset`
drops it; the next request opens another (`connection`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from aiocoap.error import ConRetransmitsExceeded, LibraryShutdown, MessageError
from aiocoap.error import Error as AiocoapError
from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import Reliable
from aiocoap.numbers.contentformat import ContentFormat
from aiocoap.protocol import Context

from bridge.coap.congestion import ConcurrencyLimit, Pace, RoundTrip
from bridge.coap.connection import Connection, Resolver
from bridge.coap.errors import Closed, Reset, Silent, Unreachable
from bridge.coap.exchange import Exchange
from bridge.coap.identifiers import TOKEN_LENGTH
from bridge.coap.interface import Interface, Transport
from bridge.coap.path_limit import PathLimit
from bridge.coap.path_survey import PathSurvey
from bridge.coap.udp import UDPAssociation
from bridge.errors import PathTooNarrow, UplinkError
from bridge.response_code import ResponseCode

_AIOCOAP_LOG = "bridge.coap.aiocoap"
logging.getLogger(_AIOCOAP_LOG).setLevel(logging.ERROR)  # what it warns of is expected, and stands in Stats


@dataclass(frozen=True, slots=True)
class Response:
    """The server's answer, whatever it says.

    Attributes:
        code: of the response.
        payload: may be empty.
    """

    code: ResponseCode
    payload: bytes


@dataclass(frozen=True, slots=True)
class Stats:
    """A client's counters since it was made, and its state now.

    Attributes:
        requests: requests sent, each counted once.
        responses: answers by code.
        retransmissions: how often a request was sent again.
        timeouts: requests that ended in silence.
        lanes: requests that may be in flight now.
        srtt_s: smoothed time to an acknowledgement, in seconds; None before the first.
        address: the server address in use; None while there is no association.
    """

    requests: int
    responses: Mapping[ResponseCode, int]
    retransmissions: int
    timeouts: int
    lanes: int
    srtt_s: float | None
    address: str | None


class Client:
    """Send requests to one CoAP server. Made anywhere, used in one event loop; does nothing while idle.

    Args:
        host: name or address.
        port: UDP port.
        lanes: requests in flight at once; 1 is RFC 7252's NSTART.
        rate: confirmable messages a second, retransmissions included; None for no limit.
        ack_timeout_s: least time before a request is sent again; longer where the server is slower.
        transport: what carries the messages; plain UDP by default.
        path_limit: the longest message that the path carries; clients to one server may share it.
        resolver: finds the addresses of the host; the system's resolver by default.
    """

    MAX_RETRANSMIT = 3  # with ACK_TIMEOUT 1 s: silence is known after 15–22 s
    DEADLINE_S = 30.0  # for an answer after an acknowledgement; ThingsBoard itself gives up after 10 s

    def __init__(
        self,
        host: str,
        port: int,
        *,
        lanes: int = 4,
        rate: float | None = 150.0,
        ack_timeout_s: float = 1.0,
        transport: Transport = UDPAssociation,
        path_limit: PathLimit | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._transport = transport
        self._connection = Connection(host, port, transport, resolver, self._message_manager)
        self.where = self._connection.where
        self._path = path_limit or PathLimit(transport.message_limit)
        self._concurrency = ConcurrencyLimit(lanes)
        self._pace = Pace(rate)
        self._round_trip = RoundTrip(ack_timeout_s)
        self._survey = PathSurvey(self._path, self._pace, self._round_trip)
        self._tuning = Reliable()
        self._tuning.MAX_RETRANSMIT = self.MAX_RETRANSMIT
        self._context: Any = None
        self._manager: Any = None
        self._closed = False
        self._requests = 0
        self._responses: Counter[ResponseCode] = Counter()
        self._retransmissions = 0
        self._timeouts = 0

    async def post(
        self, path: Sequence[str], payload: bytes, *, deadline_s: float | None = None, at_once: bool = False
    ) -> Response:
        """Send JSON (Content-Format 50) in one confirmable message and return the server's answer.

        Args:
            path: segments as they are, without any escaping.
            payload: at most as many bytes as one datagram carries; `budget(path)` arrive on this path.
            deadline_s: from the moment the request is sent, `DEADLINE_S` if None; the wait for its turn is
                not counted.
            at_once: do not wait for a turn: a probe, while the requests in flight are not answered.

        Raises:
            UplinkError: there was no answer; the class and the message say why.
            ValueError: the payload is longer than one datagram carries.
        """
        longest = self.longest(path)  # the budget may have shrunk since it was asked
        if len(payload) > longest:
            raise ValueError(f"payload of {len(payload)} bytes, at most {longest} fit to this path")
        return await self._request(Code.POST, path, payload, deadline_s, at_once=at_once)

    async def get(self, path: Sequence[str], *, deadline_s: float | None = None) -> Response:
        """Request what fits into one datagram; arguments and errors as for `post`."""
        return await self._request(Code.GET, path, b"", deadline_s)

    async def ping(self) -> bool:
        """Return whether the server gives a sign of life: four bytes there, four back, on any CoAP server.

        Without one the next ping, or request, gets a new socket and the name resolved again.
        """
        try:
            association = await self._connection.association()
        except UplinkError:
            return False
        within_s = 2 * self._round_trip.ack_timeout_s
        is_alive = await association.ping(within_s)
        if not is_alive and not association.is_in_use:
            association.end(Silent(self.where, within_s))
        return is_alive

    async def refresh(self) -> None:
        """Resolve the name again and move if the server is elsewhere now: before a retry of what it refused.

        What is in flight is not disturbed, and nothing is raised.
        """
        await self._connection.refresh()

    def budget(self, path: Sequence[str]) -> int:
        """Return the bytes of payload that one message to `path` carries, by what is known of the network."""
        return self._room(path, min(self._path.limit, self._transport.message_limit))

    def longest(self, path: Sequence[str]) -> int:
        """Return the bytes of payload that one datagram to `path` holds, whether or not it would arrive."""
        return self._room(path, self._transport.message_limit)

    def record_ignored(self, path: Sequence[str], payload_length: int) -> PathTooNarrow | None:
        """Record that a payload was not answered, twice, by a server that answers pings.

        Returns:
            The error to report if its length may be the reason (`budget(path)` is smaller now); else None.
        """
        length = payload_length + self._header(path)
        if self._path.record_ignored(length, asyncio.get_running_loop().time()):
            return PathTooNarrow(self.where, length)
        return None

    def _room(self, path: Sequence[str], message_limit: int) -> int:
        """Return the bytes of payload left to `path` by a limit on the whole message."""
        return min(self._transport.payload_limit, message_limit - self._header(path))

    def _header(self, path: Sequence[str]) -> int:
        """Return the bytes of a message to `path` before its payload, the payload marker included."""
        options = _message(Code.POST, path, b"", self._tuning).opt.encode()
        return 4 + TOKEN_LENGTH + len(options) + 1  # and the payload marker

    @property
    def deadline_s(self) -> float:
        """Return the longest time from a call of `post` to its end, when requests go out one by one."""
        turn_s = self._connection.opening_limit_s + self.DEADLINE_S + self._pace.interval_s
        return self.lanes * turn_s + self._connection.opening_limit_s  # and a refresh

    @property
    def lanes(self) -> int:
        """Return the number of requests in flight at once as long as the server answers."""
        return self._concurrency.width

    @lanes.setter
    def lanes(self, width: int) -> None:
        self._concurrency.width = width

    @property
    def stats(self) -> Stats:
        """Return the counters as they are now."""
        association = self._connection.current
        return Stats(
            requests=self._requests,
            responses=dict(self._responses),
            retransmissions=self._retransmissions,
            timeouts=self._timeouts,
            lanes=self._concurrency.limit,
            srtt_s=self._round_trip.smoothed_s,
            address=association.address if association and association.failure is None else None,
        )

    def reset(self) -> None:
        """Drop the association: what is in flight fails with Closed, the next request opens a new one."""
        self._connection.reset()

    async def close(self) -> None:
        """Fail what is in flight with Closed and free the socket; later requests fail the same way."""
        self._closed = True
        await self._survey.stop()
        await self._connection.close()
        if self._context is not None:
            context, self._context = self._context, None
            await context.shutdown()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def _request(
        self,
        code: Code,
        path: Sequence[str],
        payload: bytes,
        deadline_s: float | None,
        *,
        at_once: bool = False,
    ) -> Response:
        async with nullcontext() if at_once else self._concurrency:
            if wait_s := self._pace.reserve(asyncio.get_running_loop().time()):
                await asyncio.sleep(wait_s)
            association = await self._connection.association()
            self._survey.begin_if_due(association)
            self._tuning.ACK_TIMEOUT = self._round_trip.ack_timeout_s
            exchange = association.open_exchange(self._path)
            try:
                message = _message(code, path, payload, self._tuning)
                response = await self._exchange(exchange, message, deadline_s)
            except Silent as silence:
                self._timeouts += 1
                self._concurrency.narrow()
                if association.datagrams_received == exchange.datagrams_before:  # to all requests
                    association.end(silence)
                else:
                    self._path.doubt(exchange.length)
                raise
            finally:
                association.close_exchange(exchange)
                if exchange.round_trip_s is not None:
                    self._round_trip.sample(exchange.round_trip_s, exchange.transmissions)
            self._concurrency.widen()
            response_code = ResponseCode.from_octet(int(response.code))
            self._responses[response_code] += 1
            return Response(response_code, response.payload)

    async def _exchange(self, exchange: Exchange, message: Any, deadline_s: float | None) -> Any:
        """Send one request on one exchange and return its response.

        Raises:
            UplinkError: why there is no response; aiocoap's errors end here.
        """
        started_s = exchange.association.loop.time()
        message.remote = exchange
        self._requests += 1
        try:
            async with asyncio.timeout(self.DEADLINE_S if deadline_s is None else deadline_s):
                return await self._context.request(message, handle_blockwise=False).response
        except (TimeoutError, ConRetransmitsExceeded):
            raise Silent(self.where, exchange.association.loop.time() - started_s) from None
        except MessageError:
            raise Reset(self.where) from None
        except LibraryShutdown:
            raise Closed(self.where) from None
        except AiocoapError as error:
            if isinstance(error.__cause__, UplinkError):
                raise error.__cause__ from None
            raise Unreachable(self.where, str(error)) from error

    async def _message_manager(self) -> Any:
        """Return aiocoap's message manager, made at the first call."""
        if self._closed:
            raise Closed(self.where)
        if self._context is None:
            context = Context(loop=asyncio.get_running_loop(), loggername=_AIOCOAP_LOG)

            async def interface(manager: Any) -> Interface:
                self._manager = manager
                return Interface(manager, self._count_retransmission)

            await context._append_tokenmanaged_messagemanaged_transport(interface)
            self._context = context
        return self._manager

    def _count_retransmission(self) -> None:
        self._retransmissions += 1
        self._pace.reserve(asyncio.get_running_loop().time())


def _message(code: Code, path: Sequence[str], payload: bytes, tuning: Reliable) -> Any:
    message = Message(code=code, payload=payload, transport_tuning=tuning)
    message.opt.uri_path = path
    if code == Code.POST:
        message.opt.content_format = ContentFormat.JSON
    return message
