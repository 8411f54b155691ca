"""Questions to a server that carry no reading: how long may a message be to arrive?

A question is a whole request, `GET /.well-known/core`, which every CoAP server has and which needs no
credential. An option that servers must ignore (elective, of the range for experiments, RFC 7252 §12.2) pads
it to any length. Whatever comes back to it, an acknowledgement, an answer or a rejection, tells that it
arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from aiocoap.numbers.codes import Code

from bridge.coap.identifiers import TOKEN_LENGTH, random_token

_PATH = b"\xbb.well-known\x04core"  # two Uri-Path options (11), RFC 7252 §3.1
_PADDING = 65000  # the padding's option number
_LONG_DELTA, _LONG_LENGTH = 0xE0, 0x0E  # a 16-bit extension follows, of the value less 269
_EXTENDED_FROM = 269
SHORTEST = 4 + TOKEN_LENGTH + len(_PATH) + 5 + _EXTENDED_FROM  # bytes of a message


class Questions:
    """Ask the server which lengths of a message arrive, on one association.

    Args:
        transmit: sends an encoded message.
        next_mid: returns the next message id.
    """

    def __init__(self, transmit: Callable[[bytes], None], next_mid: Callable[[], int]) -> None:
        self._transmit = transmit
        self._next_mid = next_mid
        self._by_mid: dict[int, tuple[int, set[int]]] = {}  # the length, and where to note its arrival
        self._by_token: dict[bytes, tuple[int, set[int]]] = {}
        self._news = asyncio.Event()

    async def ask(self, lengths: Iterable[int], within_s: float) -> list[int]:
        """Return the lengths whose question arrived, in ascending order.

        Args:
            lengths: of the messages in bytes, each at least `SHORTEST`.
            within_s: when to return, in seconds, unless all have arrived before; what has not arrived in
                half of that time is sent again.
        """
        pending_lengths = set(lengths)
        arrived_lengths: set[int] = set()
        try:
            for _ in range(2):
                for length in sorted(pending_lengths, reverse=True):
                    self._send(length, arrived_lengths)
                with suppress(TimeoutError):
                    async with asyncio.timeout(within_s / 2):
                        while not pending_lengths <= arrived_lengths:
                            self._news.clear()
                            await self._news.wait()
                pending_lengths -= arrived_lengths
        finally:
            self._by_mid.clear()
            self._by_token.clear()
        return sorted(arrived_lengths)

    def take(self, mid: int, token: bytes, *, is_reply: bool) -> bool:
        """Record an incoming message if it belongs to a question, and return whether it does.

        Args:
            mid: its message id.
            token: its token.
            is_reply: it is an acknowledgement or a rejection, so that its id is that of the question.
        """
        arrival = self._by_mid.get(mid) if is_reply else self._by_token.get(token)
        if arrival is None:
            return False
        length, arrived_lengths = arrival
        arrived_lengths.add(length)
        self._news.set()
        return True

    def _send(self, length: int, arrived_lengths: set[int]) -> None:
        mid, token = self._next_mid(), random_token()
        self._by_mid[mid] = self._by_token[token] = (length, arrived_lengths)
        self._transmit(_encode(mid, token, length))


def _encode(mid: int, token: bytes, length: int) -> bytes:
    """Return one question of `length` bytes (RFC 7252 §3)."""
    delta, padding = _PADDING - 11 - _EXTENDED_FROM, length - SHORTEST
    return b"".join(
        (
            bytes((0x40 | TOKEN_LENGTH, Code.GET)),
            mid.to_bytes(2, "big"),
            token,
            _PATH,
            bytes((_LONG_DELTA | _LONG_LENGTH,)),
            delta.to_bytes(2, "big"),
            padding.to_bytes(2, "big"),
            bytes(_EXTENDED_FROM + padding),
        )
    )
