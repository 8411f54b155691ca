"""Fuzzed datagrams against the client: nothing raises, nothing grows, and the next request is answered.

A third is random, a third are genuine datagrams of the server with octets changed, cut or added, a third
are CoAP messages with the headers, tokens and ids of requests that are under way. They are put into a plain
association, into an encrypted one, and into handshakes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge.coap import Client
from bridge.coap.dtls import DTLS
from bridge.coap.trust import Trust
from bridge.errors import UplinkError
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from tests.support.certificates import Authority

PATH = ("api", "v1", "T", "telemetry")
BODY = b'{"t":1}'
A_HANDSHAKE = 50  # datagrams to each
HANDSHAKE_WITHIN_S = 0.2
ROUND = 500  # datagrams between two requests that must be answered


class Fuzz:
    """Makes datagrams; the same seed makes the same ones from the same genuine ones."""

    def __init__(self, seed: int) -> None:
        self.genuine: list[bytes] = [b"\x60\x41\x12\x34"]
        self._random = random.Random(seed)

    def some(self, count: int, association: Any) -> Iterator[bytes]:
        """Yield so many datagrams, some of them for what is under way on the association."""
        for _ in range(count):
            match self._random.randrange(3):
                case 0:
                    yield self._random.randbytes(self._random.randrange(120))
                case 1:
                    yield self._changed(self._random.choice(self.genuine))
                case _:
                    yield self._changed(self._message(association), at_most=2)

    def _message(self, association: Any) -> bytes:
        lanes = [exchange for exchange in association._exchanges if exchange.request is not None]
        mid, token = self._random.randrange(0x10000), self._random.randbytes(self._random.randrange(9))
        if lanes:
            exchange = self._random.choice(lanes)
            mid, token = (exchange.mid, token) if self._random.random() < 0.5 else (mid, exchange.token)
        first = 0x40 | self._random.randrange(4) << 4 | len(token)
        rest = self._random.randbytes(self._random.randrange(40))
        return struct.pack("!BBH", first, self._random.randrange(256), mid) + token + rest

    def _changed(self, datagram: bytes, *, at_most: int = 6) -> bytes:
        octets = bytearray(datagram)
        for _ in range(self._random.randrange(at_most + 1)):
            at = self._random.randrange(len(octets) + 1)
            match self._random.randrange(3):
                case 0 if at < len(octets):
                    octets[at] = self._random.randrange(256)
                case 1:
                    del octets[at : at + self._random.randrange(1, 20)]
                case _:
                    octets[at:at] = self._random.randbytes(self._random.randrange(1, 20))
        return bytes(octets)


def main(datagrams: int = 200_000, seed: int = 1) -> int:
    """Print the figures; 1 if anything was raised or a request was not answered afterwards."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        raised, renewed = asyncio.run(_fuzz(Path(folder), datagrams, seed))
    print(
        f"  {datagrams} fuzzed datagrams in {time.monotonic() - started:.0f} s: {len(raised)} raised, "
        f"{renewed} connections given up, every request after {ROUND} of them answered"
    )
    for error in raised[:5]:
        print(f"  {error}")
    return int(bool(raised))


async def _fuzz(folder: Path, datagrams: int, seed: int) -> tuple[list[str], int]:
    raised: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: raised.append(str(context)))
    authority = Authority(folder)
    own = authority.server()
    plain, secure = StandIn({"T"}), StandIn({"T"}, secure=Secure(own.certificate, own.key, {}))
    ports = [await server.start() for server in (plain, secure)]
    transport = DTLS(Trust("127.0.0.1", ca=authority.path))
    fuzz = Fuzz(seed)
    renewed = 0
    async with (
        Client("127.0.0.1", ports[0], rate=None) as open_,
        Client("127.0.0.1", ports[1], rate=None, transport=transport) as encrypted,
    ):
        for client in (open_, encrypted):
            renewed += await _connected(client, fuzz, datagrams * 2 // 5)
        await _shaking_hands(ports[1], transport, fuzz, datagrams - 2 * (datagrams * 2 // 5))
        for client in (open_, encrypted):
            assert (await client.post(PATH, BODY)).code == "2.01"
    for server in (plain, secure):
        await server.stop()
    return raised, renewed


async def _connected(client: Client, fuzz: Fuzz, datagrams: int) -> int:
    """Fuzzes associations that carry; returns how many were given up over it."""
    seen: set[int] = set()
    for start in range(0, datagrams, ROUND):
        assert (await client.post(PATH, BODY)).code == "2.01"
        association: Any = client._connection.current
        seen.add(id(association))
        genuine, take = [], association.receive

        def record(datagram: bytes, genuine: list[bytes] = genuine, take: Any = take) -> None:
            genuine.append(datagram)
            take(datagram)

        association.receive = record
        assert (await client.post(PATH, BODY)).code == "2.01"
        association.receive = take
        fuzz.genuine = genuine or fuzz.genuine
        posts = [asyncio.create_task(client.post(PATH, BODY)) for _ in range(4)]
        for _ in range(3):
            await asyncio.sleep(0)
        for number, datagram in enumerate(fuzz.some(min(ROUND, datagrams - start), association)):
            association.receive(datagram)
            if number % 50 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*posts, return_exceptions=True)
    return len(seen) - 1


async def _shaking_hands(port: int, transport: DTLS, fuzz: Fuzz, datagrams: int) -> None:
    """Fuzzes handshakes; each ends well, with a reason, or stays unfinished until it is given up."""
    for _ in range(0, datagrams, A_HANDSHAKE):
        async with Client("127.0.0.1", port, rate=None, transport=_Fuzzed(transport, fuzz)) as client:
            with contextlib.suppress(UplinkError, TimeoutError):
                async with asyncio.timeout(HANDSHAKE_WITHIN_S):
                    await client.post(PATH, BODY)


class _Fuzzed:
    """A transport whose handshakes hear fuzzed datagrams before what the server says."""

    def __init__(self, transport: DTLS, fuzz: Fuzz) -> None:
        self.message_limit, self.payload_limit = transport.message_limit, transport.payload_limit
        self.opening_limit_s = transport.opening_limit_s
        self._transport = transport
        self._fuzz = fuzz

    async def open(self, manager: Any, address: Any, where: str) -> Any:
        """Open an association as the real one does, with noise in its ear."""
        from bridge.coap import dtls

        fuzz = self._fuzz

        class Noisy(dtls.DTLSAssociation):
            """An association that hears noise during its handshake."""

            noise = 0

            def receive(self, datagram: bytes) -> None:
                if not self.carries and self.noise < A_HANDSHAKE:
                    fuzz.genuine = [datagram]
                    for noise in fuzz.some(A_HANDSHAKE // 2, self):
                        self.noise += 1
                        super().receive(noise)
                super().receive(datagram)

        real, dtls.DTLSAssociation = dtls.DTLSAssociation, Noisy  # type: ignore[misc]
        try:
            return await self._transport.open(manager, address, where)
        finally:
            dtls.DTLSAssociation = real  # type: ignore[misc]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datagrams", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(**vars(parser.parse_args())))
