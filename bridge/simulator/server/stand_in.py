"""A ThingsBoard stand-in over CoAP: start it, point clients at it, switch faults on, look at what arrived.

It answers as unpleasantly as the real server (`endpoint`), accepts what the real server accepts
(`device_api`, `telemetry`) and fails on demand (`faults`).

As a process: `python -m bridge.simulator.server.stand_in --port 5683 --token A1`. It prints one line
with the address it listens at, and writes its store as JSON to `--dump` at SIGUSR1 and at its end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import socket
import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.files import replace_regular
from bridge.simulator.server import message as coap
from bridge.simulator.server.device_api import TEXT_PLAIN, Answer, Arrival, DeviceApi, Post, Received
from bridge.simulator.server.endpoint import ACK_TIMEOUT_S, EXCHANGE_LIFETIME_S, Endpoint
from bridge.simulator.server.faults import Faults, Peer
from bridge.simulator.server.message import Message
from bridge.simulator.server.telemetry import Stored

if TYPE_CHECKING:
    from bridge.simulator.server.dtls import Secure

_RECEIVE_BUFFER = 1 << 21
_MAX_RESOURCE_BODY_SIZE = 256 << 20
_KNOWN_CRITICAL = {1, 3, 5, 7, 9, 11, 15, 17, 23, 27, 35, 39}  # option numbers, RFC 7252 §12.2, 7641, 7959


class StandIn:
    """The stand-in. Its store survives `stop` and `start`, its exchanges do not.

    Attributes:
        api: the resources and their content.
        faults: the faults in force.
    """

    def __init__(
        self,
        tokens: Iterable[str] = (),
        *,
        provisioning: tuple[str, str] | None = None,
        rate_limit: str | None = None,
        fixed: bool = False,
        finite_mids: bool = False,
        ack_timeout_s: float = ACK_TIMEOUT_S,
        exchange_lifetime_s: float = EXCHANGE_LIFETIME_S,
        seed: int = 0,
        secure: Secure | None = None,
    ) -> None:
        """Make a server with an empty store.

        Args:
            tokens: access tokens of the devices there are.
            provisioning: device key and secret of the profile that lets devices be created.
            rate_limit: data points a device may send, "20:1,600:60".
            fixed: piggyback a fast success on the ACK, as RFC 7252 intends.
            finite_mids: 57,000 own message ids for one peer in 247 s, then no answer at all.
            ack_timeout_s: until an unacknowledged response is first repeated.
            exchange_lifetime_s: how long a message id is remembered.
            seed: of the faults and of the first message id.
            secure: the DTLS layer of a server that speaks coaps; plain without.
        """
        self.api = DeviceApi(tokens, provisioning=provisioning, rate_limit=rate_limit)
        self.faults = Faults()
        self._chance = random.Random(seed)  # noqa: S311 - faults that can be repeated, no secret
        self._endpoint = Endpoint(
            self._serve,
            self.faults,
            fixed=fixed,
            finite_mids=finite_mids,
            ack_timeout_s=ack_timeout_s,
            exchange_lifetime_s=exchange_lifetime_s,
            seed=seed,
            secure=secure,
        )
        self._transport: asyncio.BaseTransport | None = None
        self._port = 0

    @property
    def tokens(self) -> set[str]:
        """Return the access tokens of its devices; the set may be changed at any time."""
        return self.api.tokens

    @property
    def stored(self) -> dict[str, dict[str, dict[int, Stored]]]:
        """Return the stored values: token → key → timestamp (ms) → value."""
        return self.api.stored

    @property
    def received(self) -> Received:
        """Return the counters of the accepted bodies."""
        return self.api.received

    @property
    def arrivals(self) -> list[Arrival]:
        """Return every accepted entry, in the order of arrival."""
        return self.api.arrivals

    @property
    def posts(self) -> list[Post]:
        """Return every accepted telemetry body, unchanged."""
        return self.api.posts

    @property
    def port(self) -> int:
        """Return the UDP port of the server, or the last one while it is stopped."""
        return self._port

    @property
    def datagrams(self) -> int:
        """Return the number of datagrams that came to the socket, before any was lost."""
        return self._endpoint.datagrams

    @property
    def retransmissions(self) -> int:
        """Return the number of requests that came again under a message id still remembered."""
        return self._endpoint.retransmissions

    def busiest_second(self) -> int:
        """Return the most CON requests that came within one monotonic second, those lost included."""
        return self._endpoint.busiest_second()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port.

        Args:
            port: 0 for the port it had before or, the first time, a free one.
        """
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        sock.bind((host, port or self._port))
        self._port = sock.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self._endpoint, sock=sock)
        return self._port

    async def stop(self) -> None:
        """Close the socket, as a process that ends does: clients find the port refused."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
            await asyncio.sleep(0)  # asyncio closes the socket in its next turn
        self.forget()

    def forget(self) -> None:
        """Forget every exchange, as a restart does: an old message id is a new request again."""
        self._endpoint.forget()

    def cut(self) -> None:
        """Lose every datagram, both ways."""
        self.faults.silent = True

    def restore(self) -> None:
        """Undo `cut`."""
        self.faults.silent = False

    def dump(self) -> dict[str, Any]:
        """Return the store and all counters, ready for JSON."""
        return {
            "stored": self.stored,
            "attributes": self.api.attributes,
            "tokens": sorted(self.tokens),
            "received": {item.name: getattr(self.received, item.name) for item in fields(self.received)},
            "arrivals": self.arrivals,
            "busiest_second": self.busiest_second(),
            "datagrams": self.datagrams,
            "retransmissions": self.retransmissions,
            "oversized": self._endpoint.oversized,
        }

    def _serve(self, request: Message, peer: Peer) -> Answer | None:
        secure = self._endpoint.secure
        answer = self._answer(request, secure.device(peer) if secure else None)
        self.received.answers[coap.dotted(answer.code) if answer else "silence"] += 1
        return answer

    def _answer(self, request: Message, device: str | None) -> Answer | None:
        if any(number & 1 and number not in _KNOWN_CRITICAL for number, _ in request.options):
            return Answer(coap.BAD_OPTION, b"unknown critical option", TEXT_PLAIN)
        if any(number == coap.BLOCK1 and coap.number(value) >> 3 for number, value in request.options):
            return Answer(
                coap.TOO_LARGE, b"body too large", TEXT_PLAIN, size=_MAX_RESOURCE_BODY_SIZE
            )  # one datagram a message: blocks are not put together here
        path = request.texts(coap.URI_PATH)
        if self.faults.failing or self._chance.random() < self.faults.refused_share:
            return Answer(coap.INTERNAL_SERVER_ERROR)
        if self.faults.refused_tokens.intersection(path):
            return Answer(coap.UNAUTHORIZED)
        if self.faults.poison and self.faults.poison in request.payload:
            return Answer(coap.BAD_REQUEST)
        return self.api.answer(request.code, path, request.texts(coap.URI_QUERY), request.payload, device)


def main() -> int:
    """Run the stand-in until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="bridge.simulator.server.stand_in", description="A ThingsBoard stand-in, CoAP."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5683, help="0: a free one")
    parser.add_argument("--token", action="append", default=[], help="a device's access token; repeat")
    parser.add_argument("--provisioning", metavar="KEY:SECRET", help="let devices be created")
    parser.add_argument(
        "--rate-limit", metavar="POINTS:SECONDS,…", help='data points a device: "20:1,600:60"'
    )
    parser.add_argument("--fixed", action="store_true", help="piggyback success on the ACK")
    parser.add_argument("--dump", type=Path, help="where to write what it holds, at SIGUSR1 and at the end")
    options = parser.parse_args()
    key, _, secret = (options.provisioning or "").partition(":")
    server = StandIn(
        options.token,
        provisioning=(key, secret) if options.provisioning else None,
        rate_limit=options.rate_limit,
        fixed=options.fixed,
    )
    asyncio.run(_run(server, options.host, options.port, options.dump))
    return 0


async def _run(server: StandIn, host: str, port: int, dump: Path | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, _write, server, dump)
    port = await server.start(host, port)
    sys.stdout.write(f"listening on {host}:{port}\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()
    _write(server, dump)


def _write(server: StandIn, path: Path | None) -> None:
    """Replace the dump in one step, so that a reader never sees half of one."""
    if path is not None:
        replace_regular(path, json.dumps(server.dump()).encode())


if __name__ == "__main__":
    sys.exit(main())
