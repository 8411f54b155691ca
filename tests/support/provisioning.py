"""For the tests of provisioning: a site of many sensors, and a way to the server that loses answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from bridge.simulator.server import message as coap

KEY, SECRET = "PROVISION-KEY-7f3a", "PROVISION-SECRET-91bc"

CREDENTIALS = f"""\
# from the profile's page
[provisioning]
device_key = "{KEY}"
device_secret = "{SECRET}"
"""

_SITE = """\
site = "many"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"

[bus.meters]
adapter = "/dev/null"
protocol = "modbus-rtu"
line = "9600 8N1"
"""
_SENSOR = """
[[bus.meters.sensor]]
name = "{name}"
address = {address}
every = "1m"
registers = {{ x = {{ holding = 0, type = "uint16" }} }}
"""


def names(count: int) -> list[str]:
    """sensor-01, sensor-02 …"""
    return [f"sensor-{number:02}" for number in range(1, count + 1)]


def site_of(count: int, port: int) -> str:
    """A site of so many sensors; `{folder}` in it is yet to be filled in."""
    sensors = [_SENSOR.format(name=name, address=at) for at, name in enumerate(names(count), 1)]
    return _SITE.format(port=port) + "".join(sensors)


class LosingRelay(asyncio.DatagramProtocol):
    """Stands before a server; the answer to the first request that names one of `doomed` never comes through.

    Nor does it later: whatever the server sends for that request, acknowledgement or repetition, is lost.

    Attributes:
        port: where clients find it.
        lost: datagrams lost.
    """

    def __init__(self, server: int, doomed: Iterable[str]) -> None:
        self.port = 0
        self.lost = 0
        self._server = server
        self._doomed = set(doomed)
        self._tokens: set[bytes] = set()
        self._mids: set[int] = set()
        self._transport: Any = None
        self._ways: dict[Any, socket.socket] = {}  # one for each client, so that the server tells them apart

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        request = coap.decode(data)
        for name in self._doomed:
            if request.code == coap.POST and f'"{name}"'.encode() in request.payload:
                self._doomed.remove(name)
                self._tokens.add(request.token)
                self._mids.add(request.mid)
                break
        if addr not in self._ways:
            way = self._ways[addr] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            way.setblocking(False)
            way.connect(("127.0.0.1", self._server))
            asyncio.get_running_loop().add_reader(way, self._back, way, addr)
        self._ways[addr].send(data)

    def _back(self, way: socket.socket, client: Any) -> None:
        data = way.recv(2048)
        answer = coap.decode(data)
        is_reply = answer.type in (coap.ACK, coap.RST)
        if (answer.token and answer.token in self._tokens) or (is_reply and answer.mid in self._mids):
            self.lost += 1
        else:
            self._transport.sendto(data, client)

    def close(self) -> None:
        for way in self._ways.values():
            asyncio.get_running_loop().remove_reader(way)
            way.close()
        self._transport.close()


@asynccontextmanager
async def losing_answers(server: int, doomed: Iterable[str]) -> AsyncIterator[LosingRelay]:
    """Yield the relay, while the block runs."""
    loop = asyncio.get_running_loop()
    _, relay = await loop.create_datagram_endpoint(
        lambda: LosingRelay(server, doomed), local_addr=("127.0.0.1", 0)
    )
    try:
        yield relay
    finally:
        relay.close()
