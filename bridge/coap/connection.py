"""Keeps one association to a server open, and leads it to where the server's name points now.

    request ─▶ association() ── one that carries ─▶ that one
                     └───────── none ─▶ one opening, shared by all who wait for it

Every 15 minutes while there are requests, and whenever the caller has a reason to doubt (`refresh`), the
name is resolved again beside them. If the address in use is no longer among the server's, the next
association is opened first, then takes over; what is in flight on the old one is answered there. A name
server that is silent, or a new address that does not answer, changes nothing. The trust anchors are compared
every minute, with the same consequence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bridge.coap.addresses import SPREAD_S, Address, AddressBook
from bridge.coap.errors import Closed, NotResolved, Refused, Silent, Unreachable
from bridge.coap.interface import Association, Transport
from bridge.coap.opening import KNOCK_LIMIT_S, open_first
from bridge.coap.udp import RESOLVE_TIMEOUT_S, resolve
from bridge.errors import UplinkError
from bridge.hosts import authority

log = logging.getLogger(__name__)

RESOLVE_EVERY_S = 900.0
REFRESH_AGAIN_S = 10.0  # however many credentials are held, the name server is asked no oftener
CHECK_EVERY_S = 60.0  # trust anchors that changed are noticed within this time

Resolver = Callable[[str, int], Awaitable[list[Address]]]


class Connection:
    """Keep the association that all requests of a client use.

    Args:
        host, port: the server.
        transport: opens associations.
        resolver: finds the addresses of a host; the system's resolver by default.
        manager: called once a loop runs; returns aiocoap's message manager.
    """

    def __init__(
        self,
        host: str,
        port: int,
        transport: Transport,
        resolver: Resolver | None,
        manager: Callable[[], Awaitable[Any]],
    ) -> None:
        self.where = authority(host, port)
        self.current: Association | None = None
        self._host, self._port = host, port
        self._transport = transport
        self._resolver = resolver or resolve
        self._manager = manager
        self._book = AddressBook()
        self._address: Address | None = None
        self._open_task: asyncio.Task[Association] | None = None
        self._move_task: asyncio.Task[None] | None = None
        self._retired: set[Association] = set()
        self._resolve_at_s = self._check_at_s = self._resolved_s = 0.0
        self._closed = False

    @property
    def opening_limit_s(self) -> float:
        """Return the longest that an opening takes, in seconds, whatever the number of addresses."""
        return RESOLVE_TIMEOUT_S + SPREAD_S + self._transport.opening_limit_s + KNOCK_LIMIT_S

    async def association(self) -> Association:
        """Return an association that carries: the one in use, or a new one.

        Raises:
            UplinkError: none could be opened; all callers that waited for that opening get it at once.
        """
        if self._closed:
            raise Closed(self.where)
        now_s = asyncio.get_running_loop().time()
        self._retire_untrusted(now_s)
        if self.current is not None and self.current.failure is None:
            if now_s >= self._resolve_at_s:
                self._look_up(now_s)
            return self.current
        if self._open_task is None or self._open_task.done():
            self._open_task = asyncio.create_task(self._open())
            self._open_task.add_done_callback(_retrieve)
        return await asyncio.shield(self._open_task)

    async def refresh(self) -> None:
        """Resolve the name again and move if the server is elsewhere; at most every `REFRESH_AGAIN_S`.

        Returns when that is done. What is in flight goes on; no error is raised.
        """
        now_s = asyncio.get_running_loop().time()
        if self.current is None or self.current.failure is not None or self._closed:
            return  # the next association resolves it in any case
        if now_s - self._resolved_s >= REFRESH_AGAIN_S:
            self._look_up(now_s)
        if self._move_task is not None:
            await asyncio.shield(self._move_task)

    def reset(self) -> None:
        """Drop the association: what is in flight fails with Closed, the next request opens another."""
        if self.current is not None:
            self.current.end(Closed(self.where))
            self._drop(self.current)

    async def close(self) -> None:
        """End everything; later requests fail with Closed."""
        self._closed = True
        self.reset()
        for association in self._retired:
            association.end(Closed(self.where))
        tasks = [task for task in (self._open_task, self._move_task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open(self) -> Association:
        if self.current is not None:
            self._drop(self.current)
        address, association = await self._open_first(await self._resolve())
        if self._closed:
            association.end(Closed(self.where))
            raise Closed(self.where)
        self._address, self.current = address, association
        self._check_at_s = asyncio.get_running_loop().time() + CHECK_EVERY_S
        return association

    async def _open_first(self, addresses: list[Address]) -> tuple[Address, Association]:
        manager = await self._manager()

        async def attempt(address: Address) -> Association:
            return await self._transport.open(manager, address, self.where)

        order = self._book.order(addresses, asyncio.get_running_loop().time())
        return await open_first(order, attempt, self._book)

    async def _resolve(self) -> list[Address]:
        now_s = asyncio.get_running_loop().time()
        self._resolved_s, self._resolve_at_s = now_s, now_s + RESOLVE_EVERY_S
        if addresses := await self._resolver(self._host, self._port):
            return addresses
        raise NotResolved(self.where, "the name server knows none")

    def _look_up(self, now_s: float) -> None:
        """Begin to resolve the name again, unless that is under way."""
        self._resolve_at_s = now_s + RESOLVE_EVERY_S
        if self._move_task is None or self._move_task.done():
            self._move_task = asyncio.create_task(self._move())

    async def _move(self) -> None:
        """Move to where the name points, if the address in use is no longer one of the server's."""
        old = self.current
        try:
            addresses = await self._resolve()
            if old is None or self._address in addresses:
                return
            address, association = await self._open_first(addresses)
        except UplinkError as error:
            log.warning("%s: keeping the present connection, as a new one failed: %s", self.where, error)
            return
        if self._closed or self.current is not old:  # a reset, or another opening, was faster
            association.end(Closed(self.where))
            return
        log.info("%s has moved to %s", self.where, association.address)
        self._retire(old)
        self._address, self.current = address, association

    def _retire_untrusted(self, now_s: float) -> None:
        """Open another association for what comes next if the trust anchors have changed."""
        if self.current is None or now_s < self._check_at_s:
            return
        self._check_at_s = now_s + CHECK_EVERY_S
        if not self.current.is_current():
            log.info("%s: the trust anchors have changed; connecting again", self.where)
            self._retire(self.current)
            self.current = None

    def _retire(self, association: Association) -> None:
        self._retired = {old for old in self._retired if old.failure is None} | {association}
        association.retire()

    def _drop(self, association: Association) -> None:
        """Forget an association that has ended; its address is tried last if the fault may lie there."""
        if self._address is not None and isinstance(association.failure, (Refused, Unreachable, Silent)):
            self._book.record_failure(self._address, asyncio.get_running_loop().time())
        self.current = None


def _retrieve(opening: asyncio.Task[Association]) -> None:
    """Retrieve the result of an opening, so that asyncio does not log an error that nobody waited for."""
    if not opening.cancelled():
        opening.exception()
