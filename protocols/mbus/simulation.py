"""A simulated meter: the other side of the line, for tests and for practice.

Its state is that of the standard: whether it is selected, the last frame count bit at its own address and at
253, and which of its telegrams comes next.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from protocols.mbus import application, link, secondary
from protocols.mbus.link import Message
from protocols.mbus.records import MORE_FOLLOW, Record, build
from protocols.mbus.secondary import Secondary
from protocols.toolkit import layout
from protocols.toolkit.framing import Frame
from protocols.toolkit.simulation import Address, Dialect

_UNNAMED: Final = Secondary("00000000", "SIM", 1, 4)


@dataclass(slots=True)
class SimulatedMeter:
    """A meter with data to read.

    Attributes:
        address: its primary address.
        telegrams: the records of each telegram; all but the last end in DIF 1F.
        secondary: its secondary address, with all parts.
        signature: the signature in the header; it has the encryption mode.
        refuses: the application error with which it answers instead, or None.
        access_number: the access number of its next telegram.
    """

    address: int
    telegrams: list[list[Record]] = field(default_factory=list)
    secondary: Secondary = _UNNAMED
    signature: int = 0
    refuses: int | None = None
    access_number: int = 0
    _is_selected: bool = False
    _last_bits: dict[int, int] = field(default_factory=dict)  # address → the last frame count bit
    _next: int = 0
    _last: bytes = b""

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None if the request is for another meter, for all, or not understood."""
        message = link.parse(request)
        if message is None or not message.c & link.PRIMARY or message.a == link.ALL_METERS:
            return None
        if message.ci == application.SELECT and message.a == link.SELECTED:
            return self._select(message)
        is_addressed = message.a in (self.address, link.ANY_METER) or (
            message.a == link.SELECTED and self._is_selected
        )
        if not is_addressed:
            return None
        if message.c == link.SND_NKE:
            self._is_selected = self._is_selected and message.a != link.SELECTED
            self._begin_again()
            return link.ACKNOWLEDGEMENT
        match message.c & ~link.FCB, message.ci:
            case (link.REQ_UD2, None):
                return self._send(message)
            case (_, application.RESET):
                self._begin_again()
                return link.ACKNOWLEDGEMENT
        return None

    def _begin_again(self) -> None:
        self._last_bits.clear()
        self._next = 0

    def _select(self, message: Message) -> bytes | None:
        is_address = len(message.data) == secondary.LENGTH
        self._is_selected = is_address and secondary.parse(message.data).covers(self.secondary)
        if not self._is_selected:
            return None
        self._last_bits.pop(link.SELECTED, None)
        return link.ACKNOWLEDGEMENT

    def _send(self, message: Message) -> bytes:
        bit = message.c & link.FCB
        if self._last_bits.get(message.a) != bit or not self._last:
            self._last = self._telegram()
        self._last_bits[message.a] = bit
        return self._last

    def _telegram(self) -> bytes:
        if self.refuses is not None:
            return link.build(Message(link.RSP_UD, self.address, application.ERROR, bytes((self.refuses,))))
        records = self.telegrams[self._next]
        self._next = (self._next + 1) % len(self.telegrams)
        header = secondary.build(self.secondary) + layout.build(
            application.HEADER_WITHOUT_ADDRESS,
            access_number=self.access_number,
            status=0,
            signature=self.signature,
        )
        self.access_number = (self.access_number + 1) & 0xFF
        data = header + b"".join(map(build, records)) + (bytes((MORE_FOLLOW,)) if self._next else b"")
        return link.build(Message(link.RSP_UD, self.address, application.LONG_HEADER, data))


def _message(frame: Frame) -> Message:
    message = link.parse(frame)
    return message or Message(0, link.SELECTED)


def _concerns(request: Frame, address: Address) -> bool:
    """Return whether a request concerns a meter.

    A selection concerns all: it ends that of the others. So does a request to the selected meter.
    """
    return _message(request).a in (address, link.SELECTED, link.ANY_METER)


def _refused(request: Frame, code: int) -> bytes:
    return link.build(Message(link.RSP_UD, _message(request).a, application.ERROR, bytes((code,))))


def _misaddressed(reply: Frame) -> bytes:
    message = link.parse(reply)
    if message is None:
        return reply.data
    data = bytes(octet ^ 0x01 for octet in message.data[:1]) + message.data[1:]  # begins with another id
    return link.build(replace(message, a=(message.a + 1) % link.SELECTED, data=data))


def _damaged(reply: bytes) -> bytes:
    return (
        bytes((reply[0] ^ 0xFF,)) if len(reply) == 1 else reply[:-2] + bytes((reply[-2] ^ 0xFF,)) + reply[-1:]
    )


DIALECT = Dialect(
    framer=link.StreamFramer,
    address=lambda frame: _message(frame).a,
    concerns=_concerns,
    message=lambda frame: frame.data,
    refused=_refused,
    misaddressed=_misaddressed,
    damaged=_damaged,
)
