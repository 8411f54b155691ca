"""Waits that end at the same moment: the answer to a request, and the probe for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bridge.uplink.in_flight import Exchange, InFlight
from tests.bridge.uplink.test_delivery import ScriptedClient
from tests.bridge.uplink.test_feed import BUDGET, feed, row
from tests.support.loop import on_jumping_clock

PROBE_EVERY_S = 1.0


def exchange() -> Exchange:
    """A batch that is sent now."""
    sender = feed()
    sender.follow(row(1), 0.0)
    return Exchange(sender, sender.take(BUDGET, 0.0), asyncio.get_running_loop().time(), connection=0)


@on_jumping_clock
async def test_an_answer_that_comes_while_its_repeated_request_is_being_given_up_ends_the_exchange() -> None:
    async def script(_token: str) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            in_flight.end(late)
        return "never"

    client = ScriptedClient(script, is_there=True)
    in_flight, late = InFlight(client, PROBE_EVERY_S, lambda: None), exchange()
    in_flight.begin(late)
    probing = asyncio.create_task(in_flight.run())
    await asyncio.sleep(10 * PROBE_EVERY_S)
    assert client.at_once == 1
    assert len(in_flight) == 0
    assert not probing.done(), "it goes on probing for the next ones"
    probing.cancel()


@on_jumping_clock
async def test_a_wait_that_is_ending_is_ended_once() -> None:
    stale = exchange()
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as stale.scope:
            asyncio.get_running_loop().call_soon(stale.end_wait)
            try:
                await asyncio.Event().wait()
            finally:
                stale.end_wait()  # another repeated request is answered before this one is given up
    assert stale.scope is not None
    assert stale.scope.expired()
