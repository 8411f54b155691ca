"""A foreign master and its units on one line, as a listener hears them: octets with their times.

Every register holds a number that tells its unit and address, so a value under a wrong key shows. The line
fails as lines do: stray and flipped octets, frames that are cut, two that collide, replies that are late,
requests that are sent again, broadcasts, writes, function codes that nobody knows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from protocols.modbus import pdu
from protocols.modbus.serial_line import adu
from protocols.toolkit.polling import LineSettings

TIMEOUT_S = 0.3
LATEST_S = 2.0


def content(unit: int, register: int) -> int:
    """Return what a register holds: a number that no other register of any unit holds."""
    return unit << 8 | register


def _octets(unit: int, start: int, quantity: int) -> bytes:
    """Return what so many registers hold."""
    return b"".join(content(unit, start + at).to_bytes(2, "big") for at in range(quantity))


@dataclass
class Shares:
    """How often what goes wrong."""

    noise: float = 0.02
    cut: float = 0.01
    collision: float = 0.01
    late: float = 0.01
    lost: float = 0.01
    refused: float = 0.005
    unknown: float = 0.005
    broadcast: float = 0.005
    write: float = 0.02
    mask: float = 0.005
    read_write: float = 0.02


@dataclass
class Line:
    """What a listener hears.

    Attributes:
        octets: chunks of the wire, each with the time of its first octet.
        replies: how many replies to reads were whole on the wire, while their master waited for them.
    """

    settings: LineSettings
    seed: int
    shares: Shares = field(default_factory=Shares)
    units: int = 12
    blocks: tuple[tuple[int, int], ...] = ((0, 10), (20, 10), (40, 4), (60, 7))
    replies: int = 0
    frames: int = 0

    def heard(self, frames: int) -> Iterator[tuple[float, bytes]]:
        """Yield the octets of so many frames, in their order."""
        draw = random.Random(self.seed)
        now, pending = 0.0, []
        while self.frames < frames:
            unit = draw.randrange(1, self.units + 1)
            for start, quantity in self.blocks:
                for _ in range(1 + draw.randrange(2)):  # a master that asks again what was not answered
                    request, reply = self._exchange(draw, unit, start, quantity)
                    now += self.settings.frame_gap_s
                    for due, data in [each for each in pending if each[0] <= now]:
                        pending.remove((due, data))
                        yield now, data
                        now += self.settings.duration_s(len(data)) + self.settings.frame_gap_s
                    heard, is_whole = self._damaged(draw, request)
                    self.frames += 1
                    yield now, heard
                    now += self.settings.duration_s(len(request))
                    if reply is None or not is_whole:
                        now += TIMEOUT_S if request[0] else 0.0
                        continue
                    if draw.random() < self.shares.lost:
                        now += TIMEOUT_S
                        continue
                    if draw.random() < self.shares.late:
                        pending.append((now + draw.uniform(TIMEOUT_S, LATEST_S), reply))
                        now += TIMEOUT_S
                        continue
                    now += draw.uniform(0.002, 0.05)
                    heard, is_whole = self._damaged(draw, reply)
                    self.frames += 1
                    self.replies += is_whole
                    yield now, heard
                    now += self.settings.duration_s(len(heard))
                    if is_whole:
                        break
                    now += TIMEOUT_S

    def _exchange(
        self, draw: random.Random, unit: int, start: int, quantity: int
    ) -> tuple[bytes, bytes | None]:
        shares, chance = self.shares, draw.random()
        chance -= shares.unknown
        if chance < 0:
            return adu(unit, bytes((0x44, 1, 2, 3))), adu(unit, bytes((0x44, 9, 9)))
        chance -= shares.broadcast
        if chance < 0:
            return adu(0, pdu.REQUESTS[6].build(function=6, start=start, value=content(unit, start))), None
        chance -= shares.write
        if chance < 0:
            body = pdu.REQUESTS[16].build(function=16, start=start, quantity=2, data=_octets(unit, start, 2))
            return adu(unit, body), adu(unit, body[:5])
        chance -= shares.mask
        if chance < 0:
            body = pdu.REQUESTS[22].build(function=22, start=start, and_mask=0xFFFF, or_mask=0)
            return adu(unit, body), adu(unit, body)
        chance -= shares.read_write
        if chance < 0:
            body = pdu.REQUESTS[23].build(
                function=23,
                read_start=start,
                read_quantity=quantity,
                write_start=start + 1,
                write_quantity=1,
                data=_octets(unit, start + 1, 1),
            )
            data = _octets(unit, start, quantity)
            return adu(unit, body), adu(unit, pdu.REPLIES[23].build(function=23, data=data))
        request = adu(unit, pdu.REQUESTS[3].build(function=3, start=start, quantity=quantity))
        if draw.random() < self.shares.refused:
            return request, adu(unit, bytes((0x83, 2)))
        return request, adu(unit, pdu.REPLIES[3].build(function=3, data=_octets(unit, start, quantity)))

    def _damaged(self, draw: random.Random, frame: bytes) -> tuple[bytes, bool]:
        """Return the frame as it was heard, and whether it is whole."""
        chance = draw.random()
        if chance < self.shares.noise / 2:
            stray = bytes(draw.randrange(256) for _ in range(draw.randrange(1, 5)))
            return stray + frame, True
        if chance < self.shares.noise:
            at = draw.randrange(len(frame))
            return frame[:at] + bytes((frame[at] ^ 1 << draw.randrange(8),)) + frame[at + 1 :], False
        if chance < self.shares.noise + self.shares.cut:
            return frame[: draw.randrange(1, len(frame))], False
        if chance < self.shares.noise + self.shares.cut + self.shares.collision:
            other = bytes(draw.randrange(256) for _ in frame)
            return bytes(one & another for one, another in zip(frame, other, strict=True)), False
        return frame, True
