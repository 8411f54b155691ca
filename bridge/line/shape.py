"""Whether the reply to one request could be taken for that to another. Pure."""

from __future__ import annotations

from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Request


def is_alike(first: Request, second: Request) -> bool:
    """Return whether the replies to two requests of one address cannot be told apart, as far as is known.

    The protocol says so by `shape`. Where it does not, replies that can have the same length are alike.
    """
    if first.shape is not None and second.shape is not None:
        return first.shape == second.shape
    shortest = max(first.reply_length, second.reply_length)
    longest = min(_longest(first), _longest(second))
    return shortest <= longest


def accepts(request: Request, frame: Frame) -> bool:
    """Return whether `frame` answers `request`; not if its protocol fails at a frame not meant for it."""
    try:
        return request.accepts(frame)
    except Exception:  # of any protocol, at any frame: that one is simply not its reply
        return False


def _longest(request: Request) -> int:
    return max(request.reply_length, request.longest_reply)
