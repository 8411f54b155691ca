"""One poll of a unit as it goes on: what was read, what was refused, what was left unanswered."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from protocols.modbus.knowledge import Place
from protocols.modbus.payload import Fetch
from protocols.modbus.plan import Read
from protocols.modbus.registers import Table
from protocols.toolkit.errors import DeviceRefusal

MOST_SILENCES: Final = 3  # of one poll: each costs the line a time-out


class Outcome(Enum):
    """Outcome of a read and of the parts into which it was cut, from best to worst."""

    READ = auto()
    CUT = auto()  # read, but in parts
    PUT_OFF = auto()
    REFUSED = auto()
    SILENT = auto()

    @property
    def is_failure(self) -> bool:
        """Return whether the outcome is evidence against the addresses of the read."""
        return self in (Outcome.REFUSED, Outcome.SILENT)


@dataclass(slots=True)
class Visit:
    """The state of one poll.

    Attributes:
        replies: the answered reads, each with the data of its reply.
        refusals: the refusals of the unit.
        is_present: the unit has answered something, if only by refusing.
        silences: number of requests left unanswered.
        distrusts_added: a read was answered only without the registers added to it; one lesson is enough.
        outstanding: the shapes of the replies that did not come and may come late.
        reason: why the last request failed, in words.
        failures: what the requests that failed were to read, each with the reason.
    """

    replies: list[tuple[Fetch, bytes]] = field(default_factory=list)
    refusals: list[DeviceRefusal] = field(default_factory=list)
    is_present: bool = False
    distrusts_added: bool = False
    silences: int = 0
    outstanding: set[Hashable] = field(default_factory=set)
    reason: str = ""
    failures: dict[Place, str] = field(default_factory=dict)

    def failed(self, read: Read, reason: str) -> None:
        """Note why a request failed."""
        self.reason = reason
        for span in read.wanted:
            self.failures[read.table, span] = reason

    @property
    def is_over(self) -> bool:
        """Return whether the poll sends no further request."""
        return self.silences >= (MOST_SILENCES if self.is_present else 1)

    def places(self) -> set[Place]:
        """Return the places that were read."""
        return set().union(*(fetch.places for fetch, _ in self.replies))

    def has_read_from(self, table: Table) -> bool:
        """Return whether anything of a table was read."""
        return any(fetch.read.table is table for fetch, _ in self.replies)
