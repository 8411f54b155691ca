"""A raw CoAP socket against the stand-in, because a library would hide what matters here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bridge.simulator.server import message as coap
from bridge.simulator.server.message import ACK, CON, EMPTY, RST, Message

REPLY_WITHIN_S = 10.0


HASTY_S = 0.05


TELEMETRY = ("api", "v1", "A1", "telemetry")


READING = b'{"ts":1000,"values":{"voltage":230.1}}'


async def until(claim: Callable[[], bool]) -> None:
    """Return once `claim` holds; the server has nothing to wait on for what it hears in silence."""
    async with asyncio.timeout(REPLY_WITHIN_S):
        while not claim():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


class Client(asyncio.DatagramProtocol):
    """A socket, and what came back on it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.refused = asyncio.Event()
        self._mid = 100

    transport: asyncio.DatagramTransport

    @classmethod
    async def to(cls, port: int) -> Client:
        """Return a client of the server on that port of this host."""
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(cls, remote_addr=("127.0.0.1", port))
        client.transport = transport
        return client

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.heard.put_nowait(coap.decode(data))

    def error_received(self, exc: Exception) -> None:
        self.refused.set()

    def send(self, message: Message) -> None:
        self.transport.sendto(coap.encode(message))

    def request(
        self,
        payload: bytes = READING,
        path: tuple[str, ...] = TELEMETRY,
        *,
        code: int = coap.POST,
        kind: int = CON,
        mid: int | None = None,
        query: tuple[str, ...] = (),
        more: coap.Options = (),
    ) -> Message:
        """Send a request and return it."""
        self._mid += 1
        options = [(coap.URI_PATH, segment.encode()) for segment in path]
        options += [(coap.URI_QUERY, item.encode()) for item in query]
        mid = self._mid if mid is None else mid
        request = Message(kind, code, mid, b"tok%d" % self._mid, (*options, *more), payload)
        self.send(request)
        return request

    async def reply(self) -> Message:
        async with asyncio.timeout(REPLY_WITHIN_S):
            return await self.heard.get()

    async def ask(self, *arguments: Any, **named: Any) -> tuple[str, bytes]:
        """Send a request, acknowledge a confirmable response, and return its code and body."""
        request = self.request(*arguments, **named)
        while True:
            reply = await self.reply()
            if reply.type == CON:
                self.send(Message(ACK, EMPTY, reply.mid))
            if reply.token == request.token:
                return coap.dotted(reply.code), reply.payload

    async def hears_nothing(self) -> None:
        """Assert that nothing was on its way: a ping's RST overtakes nothing on loopback."""
        self.send(Message(CON, EMPTY, 0xFFFF))
        assert await self.reply() == Message(RST, EMPTY, 0xFFFF)
