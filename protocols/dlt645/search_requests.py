"""The requests of a search, each of which reads."""

from __future__ import annotations

from protocols.dlt645 import frame as frames
from protocols.dlt645.edition import Edition
from protocols.dlt645.frame import ANY_ADDRESS, READ_ADDRESS, REPLY, Message, StreamFramer
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import Request


def value_request(edition: Edition, address: str, name: str) -> Request:
    """Return the request for a value of the meters that an address covers."""
    item = edition.items[name]
    return _request(Message(address, edition.read, item.identifier), item.octets, name)


def address_request() -> Request:
    """Return the request of 2007 for the address, to every meter."""
    return _request(Message(ANY_ADDRESS, READ_ADDRESS), 6, "address")


def _request(message: Message, octets: int, purpose: str) -> Request:
    def accepts(frame: Frame) -> bool:
        if frame.direction is not Direction.REPLY:
            return False
        answer = frames.parse(frame)
        is_same = answer.function == message.function and bool(answer.control & REPLY)
        if not is_same or not frames.covers(message.address, answer.address):
            return False
        return bool(answer.control & frames.REFUSED) or answer.data.startswith(message.data)

    return Request(
        data=frames.build(message),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=frames.length(0),
        summary=f"meter {message.address}: {purpose}",
        longest_reply=frames.length(len(message.data) + octets),
    )
