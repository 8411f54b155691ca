"""What can go wrong between the uplink and its server: each a block during which it does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from tests.faults.plant import HERE, TOKENS, Plant

ELSEWHERE = "127.0.0.9"

Fault = Callable[[Plant], AbstractAsyncContextManager[None]]


def faults(**settings: Any) -> Fault:
    """These of the server's faults, for a while."""

    @asynccontextmanager
    async def fault(plant: Plant) -> AsyncIterator[None]:
        before = {name: getattr(plant.server.faults, name) for name in settings}
        for name, value in settings.items():
            setattr(plant.server.faults, name, value)
        yield
        for name, value in before.items():
            setattr(plant.server.faults, name, value)

    return fault


@asynccontextmanager
async def refused(plant: Plant) -> AsyncIterator[None]:
    """Nothing listens on the port: ICMP."""
    await plant.server.stop()
    yield
    await plant.server.start()


@asynccontextmanager
async def restarts(plant: Plant) -> AsyncIterator[None]:
    """The server forgets every exchange, again and again, without a sign."""

    async def forget() -> None:
        while True:
            plant.server.forget()
            await asyncio.sleep(0.05)

    forgetting = asyncio.create_task(forget())
    yield
    forgetting.cancel()


@asynccontextmanager
async def poison(plant: Plant) -> AsyncIterator[None]:
    """One reading is refused, for good."""
    plant.server.faults.poison = b'"count":%d,' % (plant.count(1) + 10)
    yield


@asynccontextmanager
async def rate_limit(plant: Plant) -> AsyncIterator[None]:
    plant.server.api.rate_limit = "20:1,600:60"
    yield
    plant.server.api.rate_limit = None


@asynccontextmanager
async def nameless(plant: Plant) -> AsyncIterator[None]:
    """The name has no address, and the server has moved: no old socket helps."""
    plant.resolves(False)
    plant.server.cut()
    yield
    plant.resolves(True)
    plant.server.restore()


@asynccontextmanager
async def flush_cut(plant: Plant) -> AsyncIterator[None]:
    """An outage, and another one while what waited is on its way."""
    plant.server.cut()
    await plant.served(60)
    before = plant.server.received.entries
    plant.server.restore()
    await plant.until(lambda: plant.server.received.entries > before)
    plant.server.cut()
    yield
    plant.server.restore()


@asynccontextmanager
async def black_hole_beside(plant: Plant) -> AsyncIterator[None]:
    """The name has a second address, listed first, that swallows everything; the old connection is gone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind((ELSEWHERE, plant.server.port))
        plant.addresses(ELSEWHERE, HERE)
        await plant.server.stop()
        await asyncio.sleep(0.5)
        await plant.server.start()
        yield
    plant.addresses(HERE)


@asynccontextmanager
async def refused_beside(plant: Plant) -> AsyncIterator[None]:
    """The name has a second address, listed first, where nothing listens; the old connection is gone."""
    plant.addresses(ELSEWHERE, HERE)
    await plant.server.stop()
    await asyncio.sleep(0.5)
    await plant.server.start()
    yield
    plant.addresses(HERE)


FAULTS: dict[str, Fault] = {
    "refused": refused,
    "silence": faults(silent=True),
    "hang after ACK": faults(hang_after_ack=True),
    "30 % loss": faults(loss_in=0.3, loss_out=0.3),
    "duplicates": faults(duplicate=0.5),
    "reordering": faults(reorder=0.5),
    "5 s delay": faults(delay_s=5.0),
    "server restart": restarts,
    "4.01, then known": faults(refused_tokens=frozenset(TOKENS.values())),
    "4.00 for one reading": poison,
    "5.00 storm": faults(failing=True),
    "rate limit": rate_limit,
    "DNS gone": nameless,
    "5.00 to half": faults(refused_share=0.5),
    "5.00 to 1 of 20": faults(refused_share=0.05),
    "long datagrams swallowed": faults(swallow_above=360),
    "long requests ignored": faults(ignore_above=310),
    "long requests acknowledged only": faults(hang_above=310),
    "outage in a flush": flush_cut,
    "scattered answers": faults(answer_s=(0.005, 0.05)),
    "one sensor lost": faults(loss_of={TOKENS["first"]: 1.0}),
    "half of one sensor lost": faults(loss_of={TOKENS["first"]: 0.5}),
    "one of two addresses silent": black_hole_beside,
    "one of two addresses refused": refused_beside,
}
