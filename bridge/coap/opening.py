"""Opens an association to whichever of a server's addresses works, side by side as RFC 8305 does."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from bridge.coap.addresses import Address, AddressBook, attempt_delay_s
from bridge.coap.errors import Closed, NotAnswering
from bridge.coap.interface import Association
from bridge.errors import NotTrusted, UplinkError

log = logging.getLogger(__name__)

KNOCK_EVERY_S, KNOCKS = 1.0, 3  # a ping may be lost
KNOCK_LIMIT_S = KNOCK_EVERY_S * KNOCKS

Attempt = Callable[[Address], Awaitable[Association]]


async def open_first(
    addresses: Sequence[Address], attempt: Attempt, book: AddressBook
) -> tuple[Address, Association]:
    """Return the first association that carries, with its address; end all others.

    A single address is taken as it opens. Of several, the first that also answers a ping wins: on plain UDP a
    socket opens to a black hole too. Where all open and none answers, the first is taken; a server need not
    answer pings.

    Args:
        addresses: at least one, in the order to try them.
        attempt: opens an association to one address; it owns its deadline.
        book: learns which address failed, and which carries.

    Raises:
        UplinkError: none carries. An error that needs a person (NotTrusted) is raised only if every address
            gives one; another error may pass by itself.
    """
    if len(addresses) == 1:
        association = await _attempt(addresses[0], attempt, book)
        book.record_success(addresses[0])
        return addresses[0], association
    race = _Race(addresses, attempt, book)
    try:
        return await race.run()
    finally:
        await race.end()


async def _attempt(address: Address, attempt: Attempt, book: AddressBook) -> Association:
    try:
        return await attempt(address)
    except UplinkError:
        book.record_failure(address, asyncio.get_running_loop().time())
        raise


class _Race:
    """Attempts under way to several addresses."""

    def __init__(self, addresses: Sequence[Address], attempt: Attempt, book: AddressBook) -> None:
        self._addresses = addresses
        self._attempt = attempt
        self._book = book
        self._attempts: dict[asyncio.Task[Association], Address] = {}
        self._opened: dict[Address, Association] = {}  # all of them, to be ended unless they win
        self._errors: dict[Address, UplinkError] = {}

    async def run(self) -> tuple[Address, Association]:
        """Return the winner. Errors as for `open_first`."""
        remaining_addresses = deque(self._addresses)
        delay_s = attempt_delay_s(len(remaining_addresses))
        while remaining_addresses or self._attempts:
            if remaining_addresses:
                address = remaining_addresses.popleft()
                self._attempts[asyncio.create_task(self._open(address))] = address
            finished_tasks, _ = await asyncio.wait(
                self._attempts,
                timeout=delay_s if remaining_addresses else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in finished_tasks:
                address = self._attempts.pop(task)
                try:
                    association = task.result()
                except UplinkError as error:
                    self._errors[address] = error
                    log.info("%s: %s", address[1][0], error)
                else:
                    self._book.record_success(address)
                    return address, self._opened.pop(address, association)
        return self._least_bad()

    def _least_bad(self) -> tuple[Address, Association]:
        """Return an open association that answered no ping.

        Raises:
            UplinkError: none is open; the first error that may pass by itself, else the first.
        """
        for address, association in self._opened.items():
            if association.failure is None:
                del self._opened[address]
                return address, association
        errors = [self._errors[address] for address in self._addresses]
        raise next((error for error in errors if not isinstance(error, NotTrusted)), errors[0])

    async def _open(self, address: Address) -> Association:
        """Open an association to one address and wait until it answers a ping."""
        association = await _attempt(address, self._attempt, self._book)
        self._opened[address] = association
        for _ in range(KNOCKS):
            if await association.ping(KNOCK_EVERY_S):
                return association
            if association.failure is not None:
                break
        self._book.record_failure(address, asyncio.get_running_loop().time())
        raise association.failure or NotAnswering(association.address, KNOCK_LIMIT_S)

    async def end(self) -> None:
        """End every attempt and association that has not won."""
        for task in self._attempts:
            task.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        for association in self._opened.values():
            association.end(Closed(association.address))
