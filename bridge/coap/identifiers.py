"""Tokens and message ids that nobody on another path can guess (RFC 7252 §5.3.1, §11.4).

On plain UDP whoever guesses a request's token can forge its answer, and a forged 2.01 deletes readings. So a
token is eight random octets. A message id has only sixteen bits and must not come again within 247 s: the ids
run through all of them once, from a random start in steps of a random odd number.
"""

from __future__ import annotations

import os

TOKEN_LENGTH = 8  # the longest that RFC 7252 §3 allows


def random_token() -> bytes:
    """Return the token of one request."""
    return os.urandom(TOKEN_LENGTH)


class MessageIds:
    """The message ids of one client: each of the 65,536 once before any comes again."""

    def __init__(self) -> None:
        self._id = int.from_bytes(os.urandom(2), "big")
        self._step = int.from_bytes(os.urandom(2), "big") | 1

    def next_id(self) -> int:
        """Return the next message id, 0–65535."""
        self._id = (self._id + self._step) & 0xFFFF
        return self._id
