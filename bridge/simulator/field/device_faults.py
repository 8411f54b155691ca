"""Faults of a device, of the converter before the line, and of the line itself: data, switchable.

Fractions are of requests or replies, drawn from the seeded generator of the wire (wire.py), which acts on
them. The same records serve tests on a clock that jumps, the pseudo terminals of the demo, and the soak.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from protocols.modbus import pdu
from protocols.toolkit.framing import Frame
from protocols.toolkit.simulation import Dialect

DEVICE_BUSY: Final = 6  # Application Protocol V1.1b3 §7


@dataclass(frozen=True, slots=True)
class Stall:
    """A silence during which requests are queued; at its end they are answered one after the other.

    With `share` 1.0 and `longest_s` = `shortest_s` it is a slow device: each request takes that long.

    Attributes:
        share: fraction of requests that begin a stall, while none lasts.
        shortest_s, longest_s: how long it lasts.
        depth: requests that are kept meanwhile, the one that began it included; further ones are lost.
    """

    share: float = 0.0
    shortest_s: float = 0.2
    longest_s: float = 0.2
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the Modbus reads that a device gets; a read is covered if one of the attributes covers it.

    Attributes:
        functions: every read with one of these function codes.
        above: every read of more registers or bits.
        addresses: every read that touches one of these PDU addresses.
    """

    functions: frozenset[int] = frozenset()
    above: int | None = None
    addresses: range = range(0)

    def covers(self, message: bytes) -> bool:
        """Return whether a request, as its PDU, is one of these reads."""
        if message[0] not in pdu.REQUESTS:
            return False
        span = pdu.span_read(message)
        if span is None:
            return message[0] in self.functions
        start, quantity = span
        return (
            message[0] in self.functions
            or (self.above is not None and quantity > self.above)
            or (start < self.addresses.stop and self.addresses.start < start + quantity)
        )


@dataclass(slots=True)
class UnitFaults:
    """The faults of one unit; none by default. Each may be set at any time.

    Attributes:
        silent: fraction of requests that are not answered.
        silent_on: reads that are never answered.
        refuse_with: the code every request is refused with, or None.
        refuse: fraction of requests refused with one of `refuse_codes`.
        refuse_on: reads that are always refused with the first of `refuse_codes`.
        bad_crc: fraction of replies with a wrong checksum.
        wrong_unit: fraction of replies that carry another unit's address.
        truncate: fraction of replies cut in the middle.
        noise_before: fraction of replies with stray octets before them.
        noise_after: fraction of replies with stray octets behind them.
        split: fraction of replies with a pause of `split_s` in the middle.
        late: fraction of replies that come late, whatever else is asked meanwhile: by `late_s`, or by any
            time from that to `latest_s` where the latter is longer.
        stall: how it stalls; a slow device stalls at every request.
        wakes_after: requests in a row that a device asleep needs before it answers one; each but the last
            is unanswered. It falls asleep when `sleeps_after_s` pass without a request.
        twin_s: a second device with the same address answers this much later, or None.
    """

    silent: float = 0.0
    silent_on: Part | None = None
    refuse_with: int | None = None
    refuse: float = 0.0
    refuse_codes: tuple[int, ...] = (2,)
    refuse_on: Part | None = None
    bad_crc: float = 0.0
    wrong_unit: float = 0.0
    truncate: float = 0.0
    noise_before: float = 0.0
    noise_after: float = 0.0
    split: float = 0.0
    split_s: float = 0.02
    late: float = 0.0
    late_s: float = 0.5
    latest_s: float = 0.0
    stall: Stall = Stall()
    wakes_after: int = 1
    sleeps_after_s: float = 2.0
    twin_s: float | None = None


@dataclass(slots=True)
class LineFaults:
    """The faults of a line as a whole; none by default. Each may be set at any time.

    Attributes:
        converter: how a converter between host and line stalls: it queues requests of all units, and its
            replies do not collide with what the host sends.
        noise: fraction of requests around which a burst of stray octets falls on the line.
    """

    converter: Stall = Stall()
    noise: float = 0.0


def strikes(fraction: float, chance: random.Random) -> bool:
    """Return whether a fault with this fraction happens this time."""
    return fraction > 0 and chance.random() < fraction


def spoiled(reply: bytes, faults: UnitFaults, dialect: Dialect, chance: random.Random) -> bytes:
    """Return a reply as the faults of its device leave it."""
    if strikes(faults.wrong_unit, chance):
        reply = dialect.misaddressed(Frame(reply))
    if strikes(faults.bad_crc, chance):
        reply = dialect.damaged(reply)
    if strikes(faults.truncate, chance):
        reply = reply[: len(reply) // 2]
    if strikes(faults.noise_before, chance):
        reply = chance.randbytes(chance.randint(1, 4)) + reply
    if strikes(faults.noise_after, chance):
        reply += chance.randbytes(chance.randint(1, 4))
    return reply
