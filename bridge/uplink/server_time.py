"""The server's own clock, for a gateway that has no other.

ThingsBoard tells the time at `GET /efento/t`: whole seconds since 1970, in 4 bytes, big endian
(common/transport/coap, CoapEfentoTransportResource). That the answer says second `s` means that at some
moment between request and answer the server's clock was in it, which bounds the offset from both sides. The
next request is sent so that it arrives where the second should change: whichever second it brings, what is
unknown is halved, until it is about a round trip.

The uplink has the network and the readers need the time; so what was learned stands in the runtime folder,
for all processes of this boot. An uplink that is started again asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from bridge.clock import Clock, Told, is_plausible
from bridge.coap import Response
from bridge.config import Site
from bridge.errors import SpoolFull, UplinkError
from bridge.event_loop import until_multiple_s
from bridge.response_code import CONTENT
from bridge.spool import Spool, SpoolUnavailable
from bridge.status.documents import ClockDocument

logger = logging.getLogger(__name__)

PATH = ("efento", "t")
NS_PER_S = 1_000_000_000
NARROW_NS = 100_000_000  # so ±50 ms
MOST_ANSWERS = 10

LOOK_EVERY_S = 2.0
ASK_AGAIN_S = 3600.0  # a crystal drifts by up to 0.2 s in that time
FIRST_RETRY_S, LAST_RETRY_S = 5.0, 300.0
_DEADLINE_S = 10.0


class TimeClient(Protocol):
    """A client of the server that can GET a resource: `bridge.coap.Client`."""

    async def get(self, path: Sequence[str], *, deadline_s: float) -> Response:
        """Return the answer.

        Raises:
            UplinkError: no answer came within `deadline_s`.
        """
        ...


class NoTime(UplinkError):
    """The server answered, but not with a time."""


class Narrowing:
    """The bounds of the offset, server's clock minus boottime, in nanoseconds: it is in [low, high)."""

    def __init__(self) -> None:
        self.low = self.high = 0
        self.answers = 0

    def narrow(self, sent_ns: int, received_ns: int, seconds: int) -> None:
        """Narrow the bounds by an answer: the server's clock was in `seconds` between these two boottimes.

        Args:
            sent_ns: boottime when the request was sent.
            received_ns: boottime when the answer arrived.
            seconds: the answer, in whole seconds since 1970 UTC.
        """
        low, high = seconds * NS_PER_S - received_ns, (seconds + 1) * NS_PER_S - sent_ns
        if self.answers and max(low, self.low) < min(high, self.high):
            low, high = max(low, self.low), min(high, self.high)
        self.low, self.high = low, high  # an answer that contradicts the others: the server's clock was set
        self.answers += 1

    @property
    def width_ns(self) -> int:
        """Return the distance of the bounds, in nanoseconds."""
        return self.high - self.low

    @property
    def middle_ns(self) -> int:
        """Return the best guess of the offset, in nanoseconds."""
        return (self.low + self.high) // 2

    def next_edge_ns(self, now_ns: int) -> int:
        """Return the next boottime after `now_ns` at which the server's second changes, by the best guess."""
        return now_ns + NS_PER_S - (now_ns + self.middle_ns) % NS_PER_S


async def ask(
    client: TimeClient,
    boottime_ns: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Narrowing:
    """Ask the server until its clock is known to `NARROW_NS`, or as well as its round trips allow.

    Raises:
        UplinkError: the server did not answer, or not with a time.
    """
    offset = Narrowing()
    round_trip_ns = 0
    while offset.answers < MOST_ANSWERS and (not offset.answers or offset.width_ns > NARROW_NS):
        if offset.answers:
            wait_ns = (
                offset.next_edge_ns(boottime_ns() + round_trip_ns // 2) - boottime_ns() - round_trip_ns // 2
            )
            await sleep(max(0, wait_ns) / NS_PER_S)
        sent_ns = boottime_ns()
        response = await client.get(PATH, deadline_s=_DEADLINE_S)
        received_ns = boottime_ns()
        round_trip_ns = received_ns - sent_ns
        seconds = int.from_bytes(response.payload, "big")
        if response.code != CONTENT or len(response.payload) != 4 or not is_plausible(seconds * NS_PER_S):
            raise NoTime(
                f"the server does not tell the time: {response.code} {response.payload[:8].hex(' ')}"
            )
        offset.narrow(sent_ns, received_ns, seconds)
    return offset


class TimeKeeper:
    """Learn the time from the server if nothing here vouches for it, and date the waiting readings.

    Args:
        clock: this process's clock, which also reads what `publish` publishes.
        client: the connection to the server.
        site: the configuration, for its server and its spool.
        publish: takes the document with the time, for every process of this boot.
    """

    def __init__(
        self,
        clock: Clock,
        client: TimeClient,
        site: Site,
        *,
        publish: Callable[[ClockDocument], None],
    ) -> None:
        self._clock = clock
        self._client = client
        self._server = site.thingsboard.host
        self._spool = site.spool
        self._publish = publish
        self._retry_s = FIRST_RETRY_S
        self._is_failing = False

    async def run(self) -> None:
        """Keep the time and date waiting readings, until cancelled.

        Raises:
            SpoolDamaged, SpoolUnavailable: the spool cannot be opened.
        """
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="time-spool") as thread:
            spool = await loop.run_in_executor(
                thread, lambda: Spool.open(self._spool.path, limit=self._spool.limit)
            )
            ask_at = loop.time()
            try:
                while True:
                    if not self._clock.is_vouched and loop.time() >= ask_at:
                        ask_at = loop.time() + await self._ask()
                    if (offset := self._clock.known) is not None:
                        await loop.run_in_executor(thread, _date, spool, offset)
                    await asyncio.sleep(until_multiple_s(LOOK_EVERY_S))
            finally:
                thread.submit(spool.close)

    async def _ask(self) -> float:
        """Ask the server and publish its time; return after how many seconds to ask again."""
        here = self._clock.now()
        try:
            offset = await ask(self._client, lambda: self._clock.now().boottime_ns)
        except UplinkError as error:
            if not self._is_failing:
                logger.warning(
                    "no trusted time, neither here nor from the server: %s",
                    error,
                )
            self._is_failing = True
            retry_s, self._retry_s = self._retry_s, min(2 * self._retry_s, LAST_RETRY_S)
            return retry_s
        self._is_failing = False
        self._retry_s = FIRST_RETRY_S
        self._publish(
            {
                "boot_id": here.boot_id,
                "offset_ns": offset.middle_ns,
                "source": f"the clock of {self._server}, to ±{offset.width_ns // 2_000_000} ms",
                "accuracy_ms": offset.width_ns // 2_000_000,
            }
        )
        return ASK_AGAIN_S


def _date(spool: Spool, offset: Told) -> None:
    """Date the waiting readings of a boot, off the event loop as a disk may be slow; log a failure."""
    try:
        spool.date(offset.boot_id, offset.offset_ns)
    except (SpoolFull, SpoolUnavailable) as error:
        logger.debug("readings go on waiting for their date: %s", error)
