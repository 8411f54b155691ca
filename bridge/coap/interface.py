"""aiocoap's messages on our own associations.

aiocoap keeps tokens, message ids and retransmission timers; our associations carry its datagrams, through its
hook for third-party message interfaces. Two things make that necessary.

ThingsBoard answers a POST with a confirmable 2.01 of its own and never acknowledges the request. RFC 7252
§4.2 lets the client take that answer as the acknowledgement; aiocoap does not, and would send the request
again two seconds later, with all others waiting. So `Association` gives aiocoap
the acknowledgement that the answer implies.

aiocoap cannot take a request back: when its caller is gone it is still sent again, and further requests to
the same address wait behind it, to be sent when the network returns. So **an exchange is the address of one
request** and dies with it: none can wait behind it, and what aiocoap still sends to a dead one is dropped.

    Client ─ request ─▶ aiocoap ─ message ─▶ Interface.send ─▶ Association.send ─▶ datagram
    Client ◀ response ─ aiocoap ◀ message ── Association.receive ◀─────────────── datagram
"""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from aiocoap.error import Error as AiocoapError
from aiocoap.interfaces import MessageInterface
from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from bridge.coap.addresses import Address
from bridge.coap.errors import Closed
from bridge.coap.exchange import Exchange
from bridge.coap.identifiers import MessageIds, random_token
from bridge.coap.liveness import LivenessMonitor
from bridge.coap.path_limit import PathLimit
from bridge.coap.questions import Questions
from bridge.errors import PathTooNarrow, UplinkError

_HEADER = struct.Struct("!BBH")  # version, type, token length | code | message id   (RFC 7252 §3)
_REMEMBERED_ANSWERS = 64
JUDGED_AFTER = 0.6  # ACK_TIMEOUTs without an acknowledgement, twice: ThingsBoard takes up to 0.5 s for one


class Association(ABC):
    """One local port to one server address: carries exchanges, ends with the first error of its socket.

    Args:
        manager: aiocoap's message manager.
        address: the server's numeric address and port, for messages.

    Attributes:
        datagrams_received: how many datagrams came in so far.
        failure: why the association ended; None while it carries.
    """

    def __init__(self, manager: Any, address: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.address = address
        self.datagrams_received = 0
        self.failure: UplinkError | None = None
        self._manager = manager
        self._exchanges: set[Exchange] = set()
        self._by_mid: dict[int, Exchange] = {}
        self._by_token: dict[bytes, Exchange] = {}
        self._answers: deque[int] = deque(maxlen=_REMEMBERED_ANSWERS)  # message ids of confirmable answers
        self._life = asyncio.Event()
        self._questions = Questions(self.transmit, manager._next_message_id)
        self._liveness = LivenessMonitor(self._waiting_exchanges, self._transmit_ping, self._repeat)
        self._is_retired = False

    @abstractmethod
    def transmit(self, message: bytes) -> None:
        """Send one encoded CoAP message, or lose it; call `end` on an error of the socket."""

    @abstractmethod
    def release(self) -> None:
        """Free the socket; called once."""

    @property
    def is_in_use(self) -> bool:
        """Return whether a request is in flight."""
        return bool(self._exchanges)

    def is_current(self) -> bool:
        """Return whether what the association rests on, such as the site's trust anchors, is unchanged."""
        return True

    def open_exchange(self, path: PathLimit) -> Exchange:
        """Return an address for one request; `close_exchange` when that request is over, however it ended.

        Args:
            path: the longest message that the network path carries, as far as known.
        """
        exchange = Exchange(self, path)
        self._exchanges.add(exchange)
        return exchange

    def close_exchange(self, exchange: Exchange) -> None:
        """Close the exchange: nothing more is sent for its request, and no answer to it is accepted."""
        self._abandon(exchange, TimeoutError())

    def end(self, failure: UplinkError) -> None:
        """End the association and fail every request on it with `failure`. Later calls change nothing."""
        if self.failure is not None:
            return
        self.failure = failure
        self.release()
        self._life.set()
        for exchange in tuple(self._exchanges):
            self._abandon(exchange, failure)

    def retire(self) -> None:
        """End as soon as no request is under way; those that are may still be answered."""
        self._is_retired = True
        if not self._exchanges:
            self.end(Closed(self.address))

    async def ask(self, lengths: Iterable[int], within_s: float) -> list[int]:
        """Return the lengths of a message that arrive at the server, as `Questions.ask` finds out."""
        return await self._questions.ask(lengths, within_s)

    async def ping(self, within_s: float) -> bool:
        """Return whether anything was received from the server within `within_s` seconds of a ping."""
        self._life.clear()
        self._transmit_ping()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._life.wait()
        return self._life.is_set() and self.failure is None

    def send(self, exchange: Exchange, message: Any) -> None:
        """Send aiocoap's message for this exchange: the request, or an acknowledgement."""
        datagram = message.encode()
        is_request = message.code.is_request()
        if is_request:
            exchange.record_transmission(message, len(datagram))
            self._liveness.begin_request(message.transport_tuning.ACK_TIMEOUT)
            self._by_mid[exchange.mid] = self._by_token[exchange.token] = exchange
        self.transmit(datagram)
        if is_request and exchange.transmissions == 1 and not exchange.path.is_proven(exchange.length):
            wait_s = JUDGED_AFTER * message.transport_tuning.ACK_TIMEOUT
            self.loop.call_later(wait_s, self._doubt_length, exchange, wait_s)

    def receive(self, datagram: bytes) -> None:
        """Find the exchange that an incoming message belongs to, and give the message to aiocoap.

        No datagram raises: one that cannot be parsed is lost like any datagram.
        """
        self.datagrams_received += 1
        self._life.set()
        self._take(datagram)
        self._liveness.record_datagram()

    def _take(self, datagram: bytes) -> None:
        if len(datagram) < _HEADER.size or datagram[0] >> 6 != 1:
            return
        first, code, mid = _HEADER.unpack_from(datagram)
        kind = Type(first >> 4 & 3)
        token = datagram[4 : 4 + (first & 15)]
        is_response = code >> 5 in (2, 4, 5)
        if self._questions.take(mid, token, is_reply=kind in (Type.ACK, Type.RST)) and kind is not Type.CON:
            return
        if kind in (Type.ACK, Type.RST):
            exchange = self._by_mid.get(mid)
            if exchange and (
                code == Code.EMPTY or (kind is Type.ACK and is_response and token == exchange.token)
            ):
                self._deliver(exchange, datagram)
        elif is_response and token in self._by_token:
            self._deliver(self._by_token[token], datagram)
        elif kind is Type.CON:
            # An answer that was taken before: our acknowledgement was lost. Anything else is not for us.
            kind = Type.ACK if is_response and mid in self._answers else Type.RST
            self.transmit(_HEADER.pack(1 << 6 | kind << 4, Code.EMPTY, mid))

    def _deliver(self, exchange: Exchange, datagram: bytes) -> None:
        try:
            message = Message.decode(datagram, exchange)
        except (AiocoapError, ValueError):  # ValueError: a text option that is not UTF-8
            return
        if message.mtype is Type.CON:
            self._answers.append(message.mid)
        if message.mtype in (Type.CON, Type.NON) and not exchange.is_acknowledged:
            acknowledgement = Message(code=Code.EMPTY, _mtype=Type.ACK, _mid=exchange.mid)
            acknowledgement.remote = exchange
            self._hand_over(acknowledgement)
        exchange.acknowledge()
        if message.mtype is Type.RST or message.code != Code.EMPTY:
            exchange.path.record_answer(exchange.length)
            exchange.is_answered = True
            self._forget(exchange)
        self._hand_over(message)

    def _hand_over(self, message: Any) -> None:
        with suppress(asyncio.InvalidStateError):  # the caller was cancelled a moment ago
            self._manager.dispatch_message(message)

    def _abandon(self, exchange: Exchange, reason: Exception) -> None:
        if exchange.is_closed:
            return
        exchange.is_closed = True
        self._exchanges.discard(exchange)
        self._liveness.end_request()
        self._forget(exchange)
        if self._is_retired and not self._exchanges:
            self.loop.call_soon(self.end, Closed(self.address))
        if not exchange.is_answered:
            # Later, because aiocoap may be in the middle of sending on this exchange, or has yet to learn
            # that the caller is gone; until then nothing leaves, the exchange being closed.
            self.loop.call_soon(self._dispatch_error, reason, exchange)

    def _doubt_length(self, exchange: Exchange, wait_s: float) -> None:
        """Send a request once more whose length may be too much for the path, and a ping, which is not."""
        if not (exchange.is_closed or exchange.is_acknowledged or exchange.path.is_proven(exchange.length)):
            self.loop.call_later(wait_s, self._judge_length, exchange, self.datagrams_received)
            self._repeat(exchange)
            self._transmit_ping()

    def _judge_length(self, exchange: Exchange, datagrams_before: int) -> None:
        """Blame the length of a request that was lost twice while the server sends other datagrams."""
        if (
            exchange.is_closed
            or exchange.is_acknowledged
            or self.datagrams_received == datagrams_before
            or exchange.path.is_proven(exchange.length)
        ):
            return
        exchange.path.record_loss(exchange.length, self.loop.time())
        self._abandon(exchange, PathTooNarrow(self.address, exchange.length))

    def _dispatch_error(self, reason: Exception, exchange: Exchange) -> None:
        with suppress(asyncio.InvalidStateError):  # the caller was cancelled a moment ago
            self._manager.dispatch_error(reason, exchange)

    def _waiting_exchanges(self) -> list[Exchange]:
        return [
            exchange for exchange in self._exchanges if exchange.transmissions and not exchange.is_answered
        ]

    def _transmit_ping(self) -> None:
        self.transmit(_HEADER.pack(1 << 6 | Type.CON << 4, Code.EMPTY, self._manager._next_message_id()))

    def _repeat(self, exchange: Exchange) -> None:
        self._manager.message_interface.send(exchange.request)

    def _forget(self, exchange: Exchange) -> None:
        self._by_token.pop(exchange.token, None)
        if (
            self._by_mid.get(exchange.mid) is exchange
        ):  # without a rate limit, message ids come round while one waits
            del self._by_mid[exchange.mid]


class Transport(Protocol):
    """Opens associations of one kind.

    Attributes:
        message_limit: bytes of a whole CoAP message that its datagrams carry.
        payload_limit: bytes of its payload.
        opening_limit_s: the longest that `open` takes, in seconds.
    """

    message_limit: int
    payload_limit: int
    opening_limit_s: float

    async def open(self, manager: Any, address: Address, where: str) -> Association:
        """Return an association that carries: every handshake is over, so that CoAP's timers may start.

        Args:
            manager: aiocoap's message manager.
            address: one address of the server.
            where: the server as the site names it, for messages.

        Raises:
            Unreachable, Refused: not at this address; another one may carry.
            UplinkError: at no address.
        """


class Interface(MessageInterface):  # type: ignore[misc]  # aiocoap is untyped
    """The message interface that aiocoap sees: each request comes with its exchange already chosen.

    Args:
        manager: aiocoap's message manager, which gets identifiers that cannot be guessed.
        on_retransmission: called before a request is sent again.
    """

    def __init__(self, manager: Any, on_retransmission: Callable[[], None]) -> None:
        self._on_retransmission = on_retransmission
        manager._next_message_id = MessageIds().next_id
        manager.token_manager.next_token = random_token

    def send(self, message: Any) -> None:
        """Send `message` on its exchange; drop it when that exchange is closed."""
        exchange: Exchange = message.remote
        if exchange.is_closed:
            return
        if exchange.transmissions and message.code.is_request():
            self._on_retransmission()
        exchange.association.send(exchange, message)

    async def recognize_remote(self, remote: object) -> bool:
        """Return whether the request goes to an exchange of this interface."""
        return isinstance(remote, Exchange)

    async def determine_remote(self, message: object) -> None:
        """Return None: no request is addressed by its URI."""

    async def shutdown(self) -> None:
        """Do nothing: the client ends its association itself."""
