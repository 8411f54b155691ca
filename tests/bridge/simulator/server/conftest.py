"""A stand-in, and raw sockets to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bridge.simulator.server.stand_in import StandIn
from tests.bridge.simulator.server.raw_client import (
    HASTY_S,
    Client,
)


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    stand_in = StandIn({"A1", "A2"}, provisioning=("key", "secret"))
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
async def client(server: StandIn) -> AsyncIterator[Client]:
    raw_client = await Client.to(server.port)
    yield raw_client
    raw_client.transport.close()


@pytest.fixture
async def hasty() -> AsyncIterator[Client]:
    """A client of a server that soon repeats what is not acknowledged."""
    stand_in = StandIn({"A1"}, ack_timeout_s=HASTY_S)
    raw_client = await Client.to(await stand_in.start())
    yield raw_client
    raw_client.transport.close()
    await stand_in.stop()
