"""A CoAP client for one server: each request is answered within its deadline or fails with a reason.

A request waits for a lane, then for its turn in the pace, then opens the association if there is none, and
only then is it sent. So nothing waits inside aiocoap, and a request that was given up is never sent later.
The association stays until its socket fails, the server is silent, or `reset` drops it; the next request
opens another, with the name resolved again and an address that failed tried last.
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

from bridge.coap.congestion import Lanes, Pace, RoundTrip
from bridge.coap.errors import Closed, Refused, Reset, Silent, Unreachable
from bridge.coap.interface import Address, Association, Interface, Transport
from bridge.coap.lane import Lane
from bridge.coap.udp import UDPAssociation, authority, resolve
from bridge.errors import UplinkError

_AIOCOAP_LOG = "bridge.coap.aiocoap"
logging.getLogger(_AIOCOAP_LOG).setLevel(
    logging.ERROR
)  # what it warns of is expected here and counted in Stats


@dataclass(frozen=True, slots=True)
class Response:
    """The server's answer, whatever it says.

    Attributes:
        code: as RFC 7252 writes it: "2.01".
        payload: may be empty.
    """

    code: str
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
    responses: Mapping[str, int]
    retransmissions: int
    timeouts: int
    lanes: int
    srtt_s: float | None
    address: str | None


class Client:
    """Requests to one CoAP server. Made anywhere, used in one event loop; does nothing while idle.

    Args:
        host: name or address.
        port: UDP port.
        lanes: requests in flight at once; 1 is RFC 7252's NSTART.
        rate: confirmable messages a second, retransmissions included; None for no limit.
        ack_timeout_s: least time before a request is sent again; longer where the server is slower.
        transport: what carries the messages; plain UDP unless told.
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
    ) -> None:
        self.where = authority(host, port)
        self._host, self._port = host, port
        self._transport = transport
        self._lanes = Lanes(lanes)
        self._pace = Pace(rate)
        self._round_trip = RoundTrip(ack_timeout_s)
        self._tuning = Reliable()
        self._tuning.MAX_RETRANSMIT = self.MAX_RETRANSMIT
        self._context: Any = None
        self._manager: Any = None
        self._association: Association | None = None
        self._opening = asyncio.Lock()
        self._failed: set[Address] = set()
        self._address: Address | None = None
        self._closed = False
        self._requests = 0
        self._responses: Counter[str] = Counter()
        self._retransmissions = 0
        self._timeouts = 0

    async def post(
        self, path: Sequence[str], payload: bytes, *, deadline_s: float | None = None, at_once: bool = False
    ) -> Response:
        """Sends JSON (Content-Format 50) in one confirmable message.

        Args:
            path: segments as they are, without any escaping.
            payload: at most `budget(path)` bytes.
            deadline_s: from the moment the request is sent, `DEADLINE_S` unless told; the wait for a lane
                is not counted.
            at_once: do not wait for a lane: a probe, while what holds the lanes is not answered.

        Raises:
            UplinkError: there was no answer; the class and the message say why.
            ValueError: the payload is longer than one datagram carries.
        """
        if len(payload) > self.budget(path):
            raise ValueError(f"payload of {len(payload)} bytes, at most {self.budget(path)} fit to this path")
        return await self._request(Code.POST, path, payload, deadline_s, at_once=at_once)

    async def get(self, path: Sequence[str], *, deadline_s: float | None = None) -> Response:
        """Asks for what fits into one datagram; arguments and errors as for `post`."""
        return await self._request(Code.GET, path, b"", deadline_s)

    async def ping(self) -> bool:
        """Whether the server gives a sign of life: four bytes there, four back, on any CoAP server.

        Without one the next ping, or request, gets a new socket and the name resolved again.
        """
        try:
            async with self._opening:
                association = await self._associate()
        except UplinkError:
            return False
        within_s = 2 * self._round_trip.ack_timeout_s
        is_alive = await association.ping(within_s)
        if not is_alive and not association.is_in_use:
            association.end(Silent(self.where, within_s))
        return is_alive

    def budget(self, path: Sequence[str]) -> int:
        """Bytes of payload that one message to `path` carries."""
        options = _message(Code.POST, path, b"", self._tuning).opt.encode()
        header = 4 + 8 + len(options) + 1  # with the longest token and the payload marker
        return min(self._transport.payload_limit, self._transport.message_limit - header)

    @property
    def lanes(self) -> int:
        """Requests in flight at once as long as the server answers."""
        return self._lanes.width

    @lanes.setter
    def lanes(self, width: int) -> None:
        self._lanes.width = width

    @property
    def stats(self) -> Stats:
        """The counters as they are now."""
        association = self._association
        return Stats(
            requests=self._requests,
            responses=dict(self._responses),
            retransmissions=self._retransmissions,
            timeouts=self._timeouts,
            lanes=self._lanes.limit,
            srtt_s=self._round_trip.smoothed_s,
            address=association.address if association and association.failure is None else None,
        )

    def reset(self) -> None:
        """Drops the association: what is in flight fails with Closed, the next request opens a new one."""
        if self._association is not None:
            self._association.end(Closed(self.where))
            self._retire(self._association)

    async def close(self) -> None:
        """Fails what is in flight with Closed and frees the socket; later requests fail the same way."""
        self._closed = True
        self.reset()
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
        async with nullcontext() if at_once else self._lanes:
            if wait_s := self._pace.reserve(asyncio.get_running_loop().time()):
                await asyncio.sleep(wait_s)
            async with self._opening:
                association = await self._associate()
            self._tuning.ACK_TIMEOUT = self._round_trip.ack_timeout_s
            lane = association.open_lane()
            try:
                response = await self._exchange(lane, _message(code, path, payload, self._tuning), deadline_s)
            except Silent as silence:
                self._timeouts += 1
                self._lanes.narrow()
                if association.heard == lane.heard_before:  # to everybody, not only to this request
                    association.end(silence)
                raise
            finally:
                association.close_lane(lane)
                if lane.round_trip_s is not None:
                    self._round_trip.sample(lane.round_trip_s, lane.transmissions)
            self._lanes.widen()
            dotted: str = response.code.dotted
            self._responses[dotted] += 1
            return Response(dotted, response.payload)

    async def _exchange(self, lane: Lane, message: Any, deadline_s: float | None) -> Any:
        """One request on one lane: its response, or why there is none. aiocoap's errors end here."""
        started_s = lane.association.loop.time()
        message.remote = lane
        self._requests += 1
        try:
            async with asyncio.timeout(self.DEADLINE_S if deadline_s is None else deadline_s):
                return await self._context.request(message, handle_blockwise=False).response
        except (TimeoutError, ConRetransmitsExceeded):
            raise Silent(self.where, lane.association.loop.time() - started_s) from None
        except MessageError:
            raise Reset(self.where) from None
        except LibraryShutdown:
            raise Closed(self.where) from None
        except AiocoapError as error:
            if isinstance(error.__cause__, UplinkError):
                raise error.__cause__ from None
            raise Unreachable(self.where, str(error)) from error

    async def _associate(self) -> Association:
        """The association in use, or a new one. One caller at a time."""
        if self._association is not None:
            if self._association.failure is None:
                return self._association
            self._retire(self._association)
        await self._start()
        addresses = await resolve(self._host, self._port)
        if self._failed.issuperset(addresses):
            self._failed.clear()
        unreachable: UplinkError | None = None
        for address in sorted(addresses, key=self._failed.__contains__):
            try:
                association = await self._transport.open(self._manager, address, self.where)
            except (Unreachable, Refused) as error:
                unreachable = error
                continue
            if self._closed:
                association.end(Closed(self.where))
                raise Closed(self.where)
            self._address, self._association = address, association
            return association
        assert unreachable is not None  # a name that resolves has at least one address
        raise unreachable

    def _retire(self, association: Association) -> None:
        """Forgets an association that has ended; its address is tried last if the fault may lie there."""
        if self._address is not None and isinstance(association.failure, (Refused, Unreachable, Silent)):
            self._failed.add(self._address)
        self._association = None

    async def _start(self) -> None:
        if self._closed:
            raise Closed(self.where)
        if self._context is not None:
            return
        context = Context(loop=asyncio.get_running_loop(), loggername=_AIOCOAP_LOG)

        async def interface(manager: Any) -> Interface:
            self._manager = manager
            return Interface(self._retransmitting)

        await context._append_tokenmanaged_messagemanaged_transport(interface)
        self._context = context

    def _retransmitting(self) -> None:
        self._retransmissions += 1
        self._pace.reserve(asyncio.get_running_loop().time())


def _message(code: Code, path: Sequence[str], payload: bytes, tuning: Reliable) -> Any:
    message = Message(code=code, payload=payload, transport_tuning=tuning)
    message.opt.uri_path = path
    if code == Code.POST:
        message.opt.content_format = ContentFormat.JSON
    return message
