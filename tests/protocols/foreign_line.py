"""A foreign master with simulated devices on a line that fails, and what an overhearer makes of it.

Stray and flipped octets, frames that are cut, two that collide, replies that are lost or late, requests that
are sent again, pieces of any length, silences that a busy machine does not see.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from protocols.toolkit.framing import Event, Frame, Framer
from protocols.toolkit.overhearing import Overheard, Overhearer

TIMEOUT_S, LATEST_S = 0.3, 2.0
PER_OCTET_S = 0.001
NOISE, CUT, COLLISION, LATE, LOST = 0.02, 0.01, 0.01, 0.01, 0.01
RETRIES = 2

Answer = Callable[[Frame], bytes | None]


@dataclass
class ForeignLine:
    """What a listener hears.

    Attributes:
        framer: makes a framer of the protocol.
        answer: the devices: what answers a request.
        dialogues: what the master asks, each a sequence of requests that ends where one is not answered.
        pause_s: between two dialogues.
        replies: how many replies were whole while their master waited for them.
    """

    framer: Callable[[], Framer]
    answer: Answer
    dialogues: Sequence[Sequence[bytes]]
    seed: int
    pause_s: float = 0.2
    replies: int = 0

    def chunks(self, count: int) -> Iterator[tuple[float, bytes]]:
        """Yield the octets of so many dialogues, each piece with the time of its first octet."""
        draw = random.Random(self.seed)
        now, pending = 0.0, []
        for _ in range(count):
            now += self.pause_s
            for request in draw.choice(self.dialogues):
                reached = False
                for _ in range(1 + RETRIES):
                    for due, data in [each for each in pending if each[0] <= now]:
                        pending.remove((due, data))
                        yield now, data
                        now += len(data) * PER_OCTET_S + 0.01
                    heard, is_whole = _damaged(draw, request)
                    yield now, heard
                    now += len(heard) * PER_OCTET_S + draw.uniform(0.01, 0.05)
                    reply = self.answer(_frame(self.framer, request)) if is_whole else None
                    chance = draw.random()
                    if reply is not None and LOST <= chance < LOST + LATE:
                        pending.append((now + draw.uniform(TIMEOUT_S, LATEST_S), reply))
                    if reply is not None and chance >= LOST + LATE:
                        heard, reached = _damaged(draw, reply)
                        yield now, heard
                        now += len(heard) * PER_OCTET_S + 0.01
                        self.replies += reached
                    if reached:
                        break
                    now += TIMEOUT_S
                if not reached:
                    break


def heard(own: Overhearer, framer: Framer, *octets: tuple[float, bytes]) -> list[Overheard]:
    """Return what is overheard of octets with their times, with a silence behind each."""
    return [
        one
        for at_s, data in octets
        for event in (*framer.feed(data), *framer.silence())
        for one in own.hear(event, at_s, at_s)
    ]


def overheard(own: Overhearer, line: ForeignLine, count: int) -> Iterator[Overheard]:
    """Yield what is overheard of so many dialogues."""
    framer, draw = line.framer(), random.Random(line.seed)
    times: list[float] = []
    settled = 0
    for at_s, data in line.chunks(count):
        times += [at_s + PER_OCTET_S * at for at in range(len(data))]
        events: list[Event] = []
        at = 0
        while at < len(data):
            size = draw.randrange(1, 40)
            events += framer.feed(data[at : at + size])
            at += size
        if draw.random() < 0.95:
            events += framer.silence()
        for event in events:
            yield from own.hear(event, times[settled], times[settled + len(event.data) - 1])
            settled += len(event.data)


def _frame(framer: Callable[[], Framer], data: bytes) -> Frame:
    fresh = framer()
    (frame,) = (event for event in (*fresh.feed(data), *fresh.silence()) if isinstance(event, Frame))
    return frame


def _damaged(draw: random.Random, frame: bytes) -> tuple[bytes, bool]:
    """Return the frame as it was heard, and whether it is whole."""
    chance = draw.random()
    if chance < NOISE / 2:
        return bytes(draw.randrange(256) for _ in range(draw.randrange(1, 5))) + frame, True
    if chance < NOISE:
        at = draw.randrange(len(frame))
        return frame[:at] + bytes((frame[at] ^ 1 << draw.randrange(8),)) + frame[at + 1 :], False
    if chance < NOISE + CUT:
        return frame[: draw.randrange(1, len(frame))] if len(frame) > 1 else b"\0", False
    if chance < NOISE + CUT + COLLISION:
        return bytes(octet & draw.randrange(256) for octet in frame), False
    return frame, True
