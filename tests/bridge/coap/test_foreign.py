"""The client against libcoap, a server that is not ours."""

from __future__ import annotations

import asyncio

from bridge.coap import Client


async def test_libcoap_takes_posts(libcoap: int) -> None:
    async with Client("127.0.0.1", libcoap, rate=None) as client:
        path = ("api", "v1", "a+b%20c", "telemetry")
        assert (await client.post(path, b'[{"ts":1,"values":{"t":20.5}}]')).code == "2.01"
        answers = await asyncio.gather(*(client.post(path, b'{"t":%d}' % n) for n in range(100)))
        assert {answer.code for answer in answers} == {"2.04"}
        stored = await client.get(path)
        assert stored.code == "2.05"
        assert stored.payload.startswith(b'{"t":')
        assert (await client.get(("nothing", "here"))).code == "4.04"
        assert client.stats.requests == 103


async def test_libcoap_takes_a_full_datagram(libcoap: int) -> None:
    async with Client("127.0.0.1", libcoap) as client:
        path = ("api", "v1", "t" * 20, "telemetry")
        body = b'"' + b"x" * (client.budget(path) - 2) + b'"'
        assert (await client.post(path, body)).code == "2.01"
        assert len(body) == 1024


async def test_libcoap_answers_a_ping(libcoap: int) -> None:
    async with Client("127.0.0.1", libcoap) as client:
        assert await client.ping()
