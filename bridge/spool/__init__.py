"""The spool: the one thing that readers and the uplink share, a queue on disk with its books.

    reader ─▶ SpoolWriter ─▶ Spool.add        Spool.rows ─▶ uplink ─▶ Spool.confirm | refuse

One SQLite file, one row per reading, in order of arrival. The books are kept in the very transactions that
insert and delete, so `read = delivered + queued + expired + refused + dropped` holds for each sensor at any
instant a process can be killed, and `SpoolAdmin.audit` can prove it against the rows.
"""

from bridge.spool.admin import Kept, SpoolAdmin, UnknownSensor
from bridge.spool.dating import Placed
from bridge.spool.ledger import Account, sum_of
from bridge.spool.locks import lock
from bridge.spool.queue import Spool, read_ledger, read_placed
from bridge.spool.readings import Reading, Row
from bridge.spool.salvage import NothingToSalvage, Salvaged
from bridge.spool.schema import SpoolUnavailable
from bridge.spool.writer import SpoolWriter

__all__ = [
    "Account",
    "Kept",
    "NothingToSalvage",
    "Placed",
    "Reading",
    "Row",
    "Salvaged",
    "Spool",
    "SpoolAdmin",
    "SpoolUnavailable",
    "SpoolWriter",
    "UnknownSensor",
    "lock",
    "read_ledger",
    "read_placed",
    "sum_of",
]
