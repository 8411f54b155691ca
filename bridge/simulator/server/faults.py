"""Faults on the way between a client and the stand-in, and in the stand-in, switchable while it runs.

Every draw comes from a seeded generator for each direction, in the order of the datagrams: the same seed and
the same datagrams lose the same ones.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Peer = tuple[Any, ...]
Deliver = Callable[[bytes, Peer], None]

_HELD_BACK_S = 0.05  # a datagram to be overtaken goes on by itself after this


@dataclass(slots=True)
class Faults:
    """The faults in force; none by default. Each may be set at any time.

    Attributes:
        loss_in: fraction of datagrams lost on the way to the server.
        loss_out: fraction lost on the way back.
        duplicate: fraction that arrives twice, each way.
        reorder: fraction overtaken by the datagram behind it, each way.
        latency_s: time on the way, each way.
        silent: a black hole, both ways.
        delay_s: time a resource takes; above the server's 0.5 s it acknowledges first.
        answer_s: least and most time a resource takes, scattered between: answers overtake each other.
        swallow_above: datagrams to the server longer than this are lost, in bytes; 0 for none.
        ignore_above: requests with a longer payload, in bytes, are dropped by the server; 0 for none.
        hang_above: likewise, after they are acknowledged.
        loss_of: fraction of the requests under a token that is lost, by token.
        refused_share: fraction of requests answered 5.00, with nothing stored.
        hang_after_ack: requests are acknowledged, then neither served nor answered.
        failing: every request is answered 5.00 and nothing is stored.
        refused_tokens: tokens answered 4.01 though the device exists.
        poison: a body that contains this is answered 4.00; empty for none.
    """

    loss_in: float = 0.0
    loss_out: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    latency_s: float = 0.0
    silent: bool = False
    delay_s: float = 0.0
    answer_s: tuple[float, float] = (0.0, 0.0)
    swallow_above: int = 0
    ignore_above: int = 0
    hang_above: int = 0
    loss_of: Mapping[str, float] = field(default_factory=dict)
    refused_share: float = 0.0
    hang_after_ack: bool = False
    failing: bool = False
    refused_tokens: frozenset[str] = frozenset()
    poison: bytes = b""


class Link:
    """One direction of the way between client and server."""

    def __init__(self, deliver: Deliver, seed: int) -> None:
        self._deliver = deliver
        self._random = random.Random(seed)  # noqa: S311 - faults that can be repeated, no secret
        self._held: tuple[bytes, Peer, asyncio.TimerHandle] | None = None

    def carry(self, data: bytes, peer: Peer, faults: Faults, loss: float) -> None:
        """Deliver a datagram as the faults leave it: never, once or twice, late, or behind the next one.

        Args:
            loss: fraction of datagrams lost in this direction.
        """
        if faults.silent or self._strikes(loss):
            return
        copies = 2 if self._strikes(faults.duplicate) else 1
        if self._held is None and self._strikes(faults.reorder):
            timer = asyncio.get_running_loop().call_later(_HELD_BACK_S, self._release)
            self._held = (data, peer, timer)
            copies -= 1
            if not copies:
                return
        for _ in range(copies):
            self._send(data, peer, faults.latency_s)
        if self._held is not None and self._held[0] is not data:
            self._release()

    def _strikes(self, fraction: float) -> bool:
        return fraction > 0 and self._random.random() < fraction

    def _send(self, data: bytes, peer: Peer, latency_s: float) -> None:
        if latency_s:
            asyncio.get_running_loop().call_later(latency_s, self._deliver, data, peer)
        else:
            self._deliver(data, peer)

    def _release(self) -> None:
        if self._held is not None:
            data, peer, timer = self._held
            timer.cancel()
            self._held = None
            self._deliver(data, peer)
