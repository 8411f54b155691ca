"""Which of a server's addresses is tried first, and what is remembered of those that failed.

A name may have many addresses, and one of them may be bad: refused, a black hole, a wrong certificate. They
are tried side by side in the manner of RFC 8305: in an order that alternates between IPv6 and IPv4, each
begun a moment after the one before it, the first that works wins. What did not work goes to the end of the
order, for longer each time it fails, and is forgiven as time passes: an address is never given up for good.

Pure: the time is passed in.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

Address = tuple[socket.AddressFamily, Any]  # the family, and what socket.connect takes

ATTEMPT_DELAY_S = 0.25  # RFC 8305 §5: Connection Attempt Delay
SPREAD_S = 2.0  # the last attempt begins at most so long after the first, however many addresses there are
FORGIVEN_AFTER_S = (60.0, 900.0)  # the first failure, and the longest


@dataclass(frozen=True, slots=True)
class _Failures:
    in_a_row: int
    until_s: float


class AddressBook:
    """Keep the order in which to try a server's addresses, by earlier failures and successes."""

    def __init__(self) -> None:
        self._failures: dict[Address, _Failures] = {}
        self._preferred: Address | None = None

    def order(self, addresses: Iterable[Address], now_s: float) -> list[Address]:
        """Return each address once, in the order to try them.

        The address that worked last comes first, then the system's order, alternating between the families;
        failed ones come last, the one that is forgiven soonest before the others.
        """
        unique = list(dict.fromkeys(addresses))
        self._failures = {address: self._failures[address] for address in unique if address in self._failures}
        return sorted(
            _alternate(unique),
            key=lambda address: (self._remaining_s(address, now_s), address != self._preferred),
        )

    def record_failure(self, address: Address, now_s: float) -> None:
        """Record that this address failed: it is tried last for a while, longer after each failure."""
        in_a_row = self._failures[address].in_a_row + 1 if address in self._failures else 1
        least_s, most_s = FORGIVEN_AFTER_S
        wait_s = min(least_s * 2.0 ** min(in_a_row - 1, 10), most_s)
        self._failures[address] = _Failures(in_a_row, now_s + wait_s)

    def record_success(self, address: Address) -> None:
        """Record that this address carries: forgive its failures and try it first from now on."""
        self._failures.pop(address, None)
        self._preferred = address

    def _remaining_s(self, address: Address, now_s: float) -> float:
        failures = self._failures.get(address)
        return max(0.0, failures.until_s - now_s) if failures else 0.0


def attempt_delay_s(count: int) -> float:
    """Return the seconds from one attempt to the next, for so many addresses."""
    return min(ATTEMPT_DELAY_S, SPREAD_S / max(1, count))


def _alternate(addresses: Sequence[Address]) -> list[Address]:
    """Return the addresses with the families in turn, each in its own order (RFC 8305 §4)."""
    families: dict[socket.AddressFamily, list[Address]] = {}
    for address in addresses:
        families.setdefault(address[0], []).append(address)
    in_turn = chain.from_iterable(zip_longest(*families.values()))
    return [address for address in in_turn if address is not None]
