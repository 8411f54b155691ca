"""The message layer of the stand-in: how ThingsBoard 4.3 (Californium 3.12) answers, datagram by datagram.

It differs from what CoAP clients expect and friendlier servers do:

    fast success to a CON    a CON 2.01 under the server's own message id and NO acknowledgement of the
                             request, repeated after 3, 9, 21 and 45 s until the client acknowledges it
    success after 0.5 s      an empty ACK at 0.5 s, then the CON 2.01
    error                    piggybacked on the ACK, and so are the answers of provisioning and efento/t
    no attribute found       a CON 4.04
    broken options           4.02 on the ACK, with a text
    answer to a NON          a NON
    the same message id      answered from the old exchange for 247 s, whatever the new payload says
    more than 2048 bytes     nothing at all; over DTLS more than 1130
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from bridge.simulator.server import message as coap
from bridge.simulator.server.device_api import Answer
from bridge.simulator.server.faults import Faults, Link, Peer
from bridge.simulator.server.message import Message

if TYPE_CHECKING:
    from bridge.simulator.server.dtls import Secure

EXCHANGE_LIFETIME_S = 247.0
PIGGYBACK_TIMEOUT_S = 0.5  # transport.coap.piggyback_timeout
ACK_TIMEOUT_S = 3.0  # Californium's 2 s times its random factor of 1.5
MAX_RETRANSMIT = 4
UDP_DATAGRAM_SIZE = 2048
DTLS_DATAGRAM_SIZE = 1130  # coap.dtls.max_fragment_length 1024, plus what Californium adds
MIDS_PER_LIFETIME = 57_000  # what Californium's trackers give one peer before it stops answering


class _Exchange:
    """One request, its response, and the timers of further messages."""

    __slots__ = ("_timers", "acknowledged", "at", "confirmed", "peer", "request", "response")

    def __init__(self, request: Message, peer: Peer, at: float) -> None:
        self.request = request
        self.peer = peer
        self.at = at
        self.acknowledged = False  # an empty ACK went out
        self.response: Message | None = None
        self.confirmed = False  # the client acknowledged the response
        self._timers: list[asyncio.TimerHandle] = []

    def later(self, delay_s: float, action: Callable[..., None], *arguments: Any) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, action, self, *arguments))

    def quiet(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()


class Endpoint(asyncio.DatagramProtocol):
    """The message layer: it hands requests to `serve`, and sends the answers the way ThingsBoard does.

    Attributes:
        datagrams: all that came to the socket, before any was lost.
        retransmissions: requests that came again under a message id still remembered.
        oversized: datagrams dropped for their length.
        secure: the DTLS layer below, or None for plain UDP.
    """

    def __init__(
        self,
        serve: Callable[[Message, Peer], Answer | None],
        faults: Faults,
        *,
        secure: Secure | None,
        fixed: bool,
        finite_mids: bool,
        ack_timeout_s: float,
        exchange_lifetime_s: float,
        seed: int,
    ) -> None:
        self.datagrams = 0
        self.retransmissions = 0
        self.oversized = 0
        self.secure = secure
        self._serve_request = serve
        self._faults = faults
        self._fixed = fixed
        self._finite_mids = finite_mids
        self._ack_timeout_s = ack_timeout_s
        self._exchange_lifetime_s = exchange_lifetime_s
        self._mid = random.Random(seed).randrange(0x10000)  # noqa: S311 - repeatable, no secret
        self._chance = random.Random(seed + 2)  # noqa: S311 - faults that can be repeated, no secret
        self._inbound = Link(self._arrived, seed)
        self._outbound = Link(self._put_on_the_wire, seed + 1)
        if secure is not None:
            secure.connect(self._carry_out)
        self._exchanges: dict[tuple[Peer, int], _Exchange] = {}
        self._by_age: deque[_Exchange] = deque()
        self._unconfirmed: dict[tuple[Peer, int], _Exchange] = {}
        self._mid_times: dict[Peer, deque[float]] = {}
        self._con_seconds: Counter[int] = Counter()
        self._transport: asyncio.DatagramTransport | None = None

    def busiest_second(self) -> int:
        """Return the most CON requests that came within one monotonic second, those lost included."""
        return max(self._con_seconds.values(), default=0)

    def forget(self) -> None:
        """Forget every exchange, as a restart does: an old message id is a new request again."""
        for exchange in self._by_age:
            exchange.quiet()
        self._exchanges.clear()
        self._by_age.clear()
        self._unconfirmed.clear()
        self._mid_times.clear()
        if self.secure is not None:
            self.secure.forget()

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket's transport."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the socket's transport."""
        self._transport = None

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        """Take a datagram off the socket, and pass it through the faults."""
        self.datagrams += 1
        if len(data) > 3 and data[0] & 0xF0 == 0x40 and 0 < data[1] < 0x20:
            self._con_seconds[int(time.monotonic())] += 1
        if not 0 < self._faults.swallow_above < len(data):
            self._inbound.carry(data, addr, self._faults, self._faults.loss_in)

    # In.

    def _arrived(self, datagram: bytes, peer: Peer) -> None:
        if len(datagram) > (UDP_DATAGRAM_SIZE if self.secure is None else DTLS_DATAGRAM_SIZE):
            self.oversized += 1
        elif self.secure is None:
            self._receive(datagram, peer)
        else:
            for data in self.secure.received(datagram, peer):
                self._receive(data, peer)

    def _receive(self, data: bytes, peer: Peer) -> None:
        try:
            message = coap.decode(data)
        except coap.BadOptions as error:
            if error.head.type == coap.CON:
                refusal = error.head._replace(
                    type=coap.ACK, code=coap.BAD_OPTION, payload=str(error).encode()
                )
                self._send(refusal, peer)
            return
        except coap.MessageError:
            return
        if message.type in (coap.ACK, coap.RST):
            self._confirmed(peer, message.mid)
        elif message.code == coap.EMPTY:
            self._send(Message(coap.RST, coap.EMPTY, message.mid), peer)  # a ping
        elif message.code < 0x20:
            self._request(message, peer)

    def _confirmed(self, peer: Peer, mid: int) -> None:
        exchange = self._unconfirmed.pop((peer, mid), None)
        if exchange is not None:
            exchange.confirmed = True
            exchange.quiet()

    def _request(self, request: Message, peer: Peer) -> None:
        if self._is_lost(request):
            return
        now = time.monotonic()
        while self._by_age and now - self._by_age[0].at > self._exchange_lifetime_s:
            old = self._by_age.popleft()
            del self._exchanges[old.peer, old.request.mid]
        earlier = self._exchanges.get((peer, request.mid))
        if earlier is not None:
            self.retransmissions += 1
            self._repeat(earlier)
            return
        exchange = _Exchange(request, peer, now)
        self._exchanges[peer, request.mid] = exchange
        self._by_age.append(exchange)
        if self._faults.hang_after_ack or 0 < self._faults.hang_above < len(request.payload):
            exchange.later(PIGGYBACK_TIMEOUT_S, self._acknowledge)
        elif delay_s := self._faults.delay_s or self._chance.uniform(*self._faults.answer_s):
            exchange.later(PIGGYBACK_TIMEOUT_S, self._acknowledge)
            exchange.later(delay_s, self._serve)
        else:
            self._serve(exchange)

    def _is_lost(self, request: Message) -> bool:
        """Return whether the faults lose a request, for its length or for its token."""
        if 0 < self._faults.ignore_above < len(request.payload):
            return True
        if not self._faults.loss_of:
            return False
        shares = [self._faults.loss_of.get(segment, 0.0) for segment in request.texts(coap.URI_PATH)]
        return self._chance.random() < max(shares, default=0.0)

    def _repeat(self, exchange: _Exchange) -> None:
        """Answer a repeated message id from its exchange, without reading the new payload."""
        response = exchange.response
        separate = exchange.acknowledged or (response is not None and response.type == coap.CON)
        if exchange.request.type == coap.CON and separate:
            self._send(Message(coap.ACK, coap.EMPTY, exchange.request.mid), exchange.peer)
        if response is not None and not exchange.confirmed:
            self._send(response, exchange.peer)

    # Out.

    def _serve(self, exchange: _Exchange) -> None:
        answer = self._serve_request(exchange.request, exchange.peer)
        if answer is not None:
            exchange.quiet()
            self._respond(exchange, answer)
        elif not exchange.acknowledged:
            exchange.later(PIGGYBACK_TIMEOUT_S, self._acknowledge)

    def _respond(self, exchange: _Exchange, answer: Answer) -> None:
        request, peer = exchange.request, exchange.peer
        kind, mid = request.type, request.mid
        is_separate = answer.code < coap.BAD_REQUEST if answer.is_separate is None else answer.is_separate
        by_itself = exchange.acknowledged or (is_separate and not self._fixed)
        if kind == coap.NON or by_itself:
            server_mid = self._own_mid(peer)
            if server_mid is None:
                return
            mid = server_mid
        else:
            kind = coap.ACK
        options: coap.Options = ()
        if answer.content_format is not None:
            options = ((coap.CONTENT_FORMAT, coap.uint(answer.content_format)),)
        if answer.size is not None:
            options = (*options, (coap.SIZE1, coap.uint(answer.size)))
        exchange.response = Message(kind, answer.code, mid, request.token, options, answer.payload)
        if kind == coap.CON:
            self._unconfirmed[peer, mid] = exchange
            exchange.later(self._ack_timeout_s, self._retransmit, 1)
        self._send(exchange.response, peer)

    def _retransmit(self, exchange: _Exchange, attempt: int) -> None:
        assert exchange.response is not None
        if attempt < MAX_RETRANSMIT:
            exchange.later(self._ack_timeout_s * 2**attempt, self._retransmit, attempt + 1)
        self._send(exchange.response, exchange.peer)

    def _acknowledge(self, exchange: _Exchange) -> None:
        if exchange.request.type == coap.CON:
            exchange.acknowledged = True
            self._send(Message(coap.ACK, coap.EMPTY, exchange.request.mid), exchange.peer)

    def _own_mid(self, peer: Peer) -> int | None:
        """Return the next message id of the server's own; None when the peer has used up its share."""
        if self._finite_mids:
            now = time.monotonic()
            times = self._mid_times.setdefault(peer, deque())
            while times and now - times[0] > self._exchange_lifetime_s:
                times.popleft()
            if len(times) >= MIDS_PER_LIFETIME:
                return None
            times.append(now)
        self._mid = (self._mid + 1) & 0xFFFF
        return self._mid

    def _send(self, message: Message, peer: Peer) -> None:
        if self.secure is None:
            self._carry_out(coap.encode(message), peer)
        else:
            self.secure.send(coap.encode(message), peer)

    def _carry_out(self, datagram: bytes, peer: Peer) -> None:
        self._outbound.carry(datagram, peer, self._faults, self._faults.loss_out)

    def _put_on_the_wire(self, data: bytes, peer: Peer) -> None:
        if self._transport is not None:
            self._transport.sendto(data, peer)
