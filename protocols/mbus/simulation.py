"""A meter that answers: the other side of the line, for tests and for practice.

It keeps what the standard has a meter keep: whether it is selected, which frame count bit it heard last at
its own address and at 253, and which of its telegrams comes next.
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
        telegrams: the records of each; all but the last end in DIF 1F.
        secondary: its secondary address, all of it.
        signature: of the header; its encryption mode is in there.
        refuses: the application error it answers with instead, or None.
        access_number: of its next telegram.
    """

    address: int
    telegrams: list[list[Record]] = field(default_factory=list)
    secondary: Secondary = _UNNAMED
    signature: int = 0
    refuses: int | None = None
    access_number: int = 0
    _is_selected: bool = False
    _heard: dict[int, int] = field(default_factory=dict)  # address → the frame count bit heard last
    _next: int = 0
    _last: bytes = b""

    def answer(self, request: Frame) -> bytes | None:
        """The whole reply; None if the request is for another meter, for all, or not understood."""
        asked = link.parse(request)
        if asked is None or not asked.c & link.PRIMARY or asked.a == link.ALL_METERS:
            return None
        if asked.ci == application.SELECT and asked.a == link.SELECTED:
            return self._selected(asked)
        is_asked = asked.a in (self.address, link.ANY_METER) or (
            asked.a == link.SELECTED and self._is_selected
        )
        if not is_asked:
            return None
        if asked.c == link.SND_NKE:
            self._is_selected = self._is_selected and asked.a != link.SELECTED
            self._begin_again()
            return link.ACKNOWLEDGEMENT
        match asked.c & ~link.FCB, asked.ci:
            case (link.REQ_UD2, None):
                return self._tell(asked)
            case (_, application.RESET):
                self._begin_again()
                return link.ACKNOWLEDGEMENT
        return None

    def _begin_again(self) -> None:
        self._heard.clear()
        self._next = 0

    def _selected(self, asked: Message) -> bytes | None:
        is_address = len(asked.data) == secondary.LENGTH
        self._is_selected = is_address and secondary.parse(asked.data).covers(self.secondary)
        if not self._is_selected:
            return None
        self._heard.pop(link.SELECTED, None)
        return link.ACKNOWLEDGEMENT

    def _tell(self, asked: Message) -> bytes:
        bit = asked.c & link.FCB
        if self._heard.get(asked.a) != bit or not self._last:
            self._last = self._telegram()
        self._heard[asked.a] = bit
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


def _asked(frame: Frame) -> Message:
    message = link.parse(frame)
    return message or Message(0, link.SELECTED)


def _concerns(request: Frame, address: Address) -> bool:
    """A selection concerns all: it ends that of the others. So does what is for whichever is selected."""
    return _asked(request).a in (address, link.SELECTED, link.ANY_METER)


def _refused(request: Frame, code: int) -> bytes:
    return link.build(Message(link.RSP_UD, _asked(request).a, application.ERROR, bytes((code,))))


def _misaddressed(reply: Frame) -> bytes:
    told = link.parse(reply)
    if told is None:
        return reply.data
    other = bytes((told.data[0] ^ 0x01,)) + told.data[1:] if told.data else b""  # another id
    return link.build(replace(told, a=(told.a + 1) % link.SELECTED, data=other))


def _damaged(reply: bytes) -> bytes:
    return (
        bytes((reply[0] ^ 0xFF,)) if len(reply) == 1 else reply[:-2] + bytes((reply[-2] ^ 0xFF,)) + reply[-1:]
    )


DIALECT = Dialect(
    framer=link.StreamFramer,
    address=lambda frame: _asked(frame).a,
    concerns=_concerns,
    message=lambda frame: frame.data,
    refused=_refused,
    misaddressed=_misaddressed,
    damaged=_damaged,
)
