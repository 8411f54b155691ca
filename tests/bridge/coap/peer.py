"""A scripted server on a real socket: it hears every datagram and says exactly what the test tells it to."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Self

CON, NON, ACK, RST = range(4)
EMPTY, GET, POST, CREATED, CONTENT, BAD_REQUEST = 0x00, 0x01, 0x02, 0x41, 0x45, 0x80


@dataclass(frozen=True, slots=True)
class Packet:
    """One CoAP message, taken apart only as far as RFC 7252 §3 draws it."""

    kind: int
    code: int
    mid: int
    token: bytes = b""
    rest: bytes = b""  # options and payload

    @classmethod
    def parse(cls, datagram: bytes) -> Self:
        first, code, mid = struct.unpack_from("!BBH", datagram)
        end = 4 + (first & 15)
        return cls(first >> 4 & 3, code, mid, datagram[4:end], datagram[end:])

    def encode(self) -> bytes:
        header = struct.pack("!BBH", 0x40 | self.kind << 4 | len(self.token), self.code, self.mid)
        return header + self.token + self.rest

    @property
    def is_question(self) -> bool:
        """A GET of /.well-known/core, however padded."""
        return self.code == GET and self.rest.startswith(b"\xbb.well-known\x04core")

    @property
    def payload(self) -> bytes:
        """Return what follows the payload marker; no option in these tests holds a 0xFF."""
        return self.rest.partition(b"\xff")[2]


Script = Callable[[Packet], Iterable[Packet]]


class Peer(asyncio.DatagramProtocol):
    """Answers requests with what `script` makes of them, pings and questions likewise; `heard` holds all.

    A question is a GET of what every CoAP server has; it is not among `requests`.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.pings: Script = nothing
        self.questions: Script = nothing
        self.heard: list[Packet] = []
        self.port = 0
        self.client: Any = None  # its address
        self._transport: Any = None

    @property
    def requests(self) -> list[Packet]:
        return [packet for packet in self.heard if 0 < packet.code < 0x20 and not packet.is_question]

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.client = addr
        packet = Packet.parse(data)
        self.heard.append(packet)
        if packet.is_question:
            for answer in self.questions(packet):
                self.say(answer)
        elif 0 < packet.code < 0x20:
            for answer in self.script(packet):
                self.say(answer)
        elif packet.kind == CON:
            for answer in self.pings(packet):
                self.say(answer)

    def say(self, packet: Packet) -> None:
        self.say_bytes(packet.encode())

    def say_bytes(self, datagram: bytes) -> None:
        self._transport.sendto(datagram, self.client)

    def stop(self) -> None:
        self._transport.close()


@asynccontextmanager
async def peer(script: Script, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Peer]:
    """A peer that listens on `host` until the block ends."""
    loop = asyncio.get_running_loop()
    _, server = await loop.create_datagram_endpoint(lambda: Peer(script), local_addr=(host, port))
    try:
        yield server
    finally:
        server.stop()


async def until(claim: Callable[[], object], *, within_s: float = 20.0) -> None:
    """Wait until `claim` holds."""
    async with asyncio.timeout(within_s):
        while not claim():  # noqa: ASYNC110  what is waited for has no event of its own
            await asyncio.sleep(0.002)


_mids = count(0x7000)


def bare_con(request: Packet) -> list[Packet]:
    """ThingsBoard: a confirmable 2.01 of its own, no acknowledgement."""
    return [Packet(CON, CREATED, next(_mids) & 0xFFFF, request.token)]


def bare_non(request: Packet) -> list[Packet]:
    return [Packet(NON, CREATED, next(_mids) & 0xFFFF, request.token)]


def piggybacked(request: Packet) -> list[Packet]:
    return [Packet(ACK, CREATED, request.mid, request.token)]


def empty_ack(request: Packet) -> list[Packet]:
    return [Packet(ACK, EMPTY, request.mid)]


def reset(request: Packet) -> list[Packet]:
    return [Packet(RST, EMPTY, request.mid)]


def nothing(_request: Packet) -> list[Packet]:
    return []
