"""The requests of a search: each concerns the link alone, or reads."""

from __future__ import annotations

from protocols.mbus import application, link, secondary
from protocols.mbus.link import AcknowledgementFramer, Message, StreamFramer
from protocols.mbus.secondary import Secondary
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Request


def selection(pattern: Secondary) -> Request:
    """Return the request that selects the meters that a pattern covers."""
    message = Message(link.SND_UD, link.SELECTED, application.SELECT, secondary.build(pattern))
    return _acknowledged(message, f"selection of {pattern}")


def reset(number: int) -> Request:
    """Return the request that a meter acknowledges, by its primary address."""
    return _acknowledged(Message(link.SND_NKE, number), f"meter {number}: reset of the link")


def _acknowledged(message: Message, summary: str) -> Request:
    return Request(
        data=link.build(message),
        framer=AcknowledgementFramer,
        accepts=lambda frame: frame.data == link.ACKNOWLEDGEMENT,
        reply_length=len(link.ACKNOWLEDGEMENT),
        summary=summary,
    )


def data(number: int) -> Request:
    """Return the request for data; with the same frame count bit each time, it brings the same telegram."""

    def accepts(frame: Frame) -> bool:
        message = link.parse(frame)
        return message is not None and message.is_reply

    return Request(
        data=link.build(Message(link.REQ_UD2 | link.FCB, number)),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=link.length(application.HEADER_LENGTH),
        longest_reply=link.LONGEST,
        summary=f"meter {number}: data",
    )
