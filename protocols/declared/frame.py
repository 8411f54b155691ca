"""A declaration at work: its Construct layout and its Shape, which do what those of our own protocols do.

Wherever the sync stands in noise, a frame is tried. That takes about a microsecond with a CRC of any length
or a sum of 256 octets; an xor of as many adds one more, a sum of 1023 two, an xor of 1023 four. So a megabyte
of nothing but "42 4D" takes half a second, with an xor one; of nothing but "42", where that is the sync of
frames of 1023 octets with an xor, five. A line of 115200 baud brings 11520 octets a second: 6 % of a core,
even then, so no length is refused for what it costs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from construct import Bytes, BytesInteger, Const, Construct, Padding, Rebuild, Struct, len_, this

from protocols.declared.declaration import CHECKSUM, END, SYNC, Check, Declaration, Length, Part, Pattern
from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, NoiseReason
from protocols.toolkit.polling import Values
from protocols.toolkit.scaling import Missing
from protocols.toolkit.search import Shape

Raws = Mapping[str, Any]
"""Raw content of each field as the layout parsed it, by the field's name."""


class DeclaredFrame:
    """A declared frame without contradictions: it parses and builds frames.

    Attributes:
        declared: the declaration.
        shape: the rules by which it is recognised.
    """

    def __init__(self, declaration: Declaration) -> None:
        self.declared = declaration
        self.shape = _shape(declaration)
        self._layout = "frame" / Struct(*_members(declaration))

    def parse(self, data: bytes) -> dict[str, Any]:
        """Return the raw content of each field of a good frame, by field name."""
        members = layout.parse(self._layout, data)
        return {
            part.field.name: members[_member(part.at)]
            for part in self.declared.parts
            if part.field is not None
        }

    def build(self, raws: Raws, rest: bytes = b"") -> bytes:
        """Return a frame with these fields and its checksum; undeclared octets are 0 but for `rest`.

        Raises:
            ValueError: a field is missing or does not fit.
        """
        members = {
            _member(part.at): raws[part.field.name]
            for part in self.declared.parts
            if part.field is not None and part.field.name in raws
        }
        data = layout.build(self._layout, **members, rest=rest, checksum=0)
        check = self.declared.check
        if check is None:
            return data
        at, size = check.at % len(data), check.checksum.size
        number = check.checksum.of(data[check.start : check.stop])
        return data[:at] + number.to_bytes(size, check.order) + data[at + size :]

    def sender(self, raws: Raws) -> str | None:
        """Return the id in a frame; "" if its frames carry none, None if its octets are no id."""
        field = self.declared.id
        if field is None:
            return ""
        identity = field.type.read(raws[field.name])
        return None if isinstance(identity, Missing) else str(identity)

    def values(self, raws: Raws) -> tuple[Values, int]:
        """Return the values of all fields but the id, and how many were left out as beyond their limits."""
        values: Values = {}
        out_of_limits = 0
        for field in self.declared.fields:
            if field.is_id:
                continue
            value = field.type.read(raws[field.name])
            if isinstance(value, int | float):
                value = field.meaning.meant(value, field.type.pattern(raws[field.name]))
            if isinstance(value, Missing):
                out_of_limits += value is Missing.OUT_OF_LIMITS
            else:
                values[field.name] = value
        return values, out_of_limits

    @property
    def units(self) -> dict[str, str]:
        """Return the names of the values, each with its unit or ""."""
        return {field.name: field.meaning.unit for field in self.declared.fields if not field.is_id}


def either(reply: Shape, request: Shape) -> Shape:
    """Return the shape of replies and requests together; where both begin alike, replies alone are found."""

    def of(data: bytes, at: int = 0) -> Shape:
        return reply if reply.head.match(data, at) else request

    def direction(data: bytes) -> Direction:
        return Direction.REPLY if of(data) is reply else Direction.REQUEST

    return Shape(
        head=re.compile(b"(?:%b)|(?:%b)" % (reply.head.pattern, request.head.pattern), re.DOTALL),
        head_length=max(reply.head_length, request.head_length),
        starts=bytes({*reply.starts, *request.starts}),
        longest=max(reply.longest, request.longest),
        extent=lambda buffer, at: of(buffer, at).extent(buffer, at),
        flaw=lambda data: of(data).flaw(data),
        direction=direction,
    )


def _members(declaration: Declaration) -> Iterator[Construct[Any, Any]]:
    """Yield the members of the layout, in the order of the frame."""
    front = [part for part in declaration.parts if part.at >= 0]
    back = [part for part in declaration.parts if part.at < 0]
    if isinstance(declaration.length, int):
        yield from _run(front, 0, declaration.length, declaration)
        return
    yield from _run(front, 0, declaration.front, declaration)
    yield "rest" / Bytes(this.length + (declaration.length.add - declaration.shortest))
    yield from _run(back, -declaration.back, 0, declaration)


def _run(
    parts: Sequence[Part], begin: int, end: int, declaration: Declaration
) -> Iterator[Construct[Any, Any]]:
    """Yield these parts as members of a layout, with padding for undeclared octets between them."""
    at = begin
    for part in parts:
        if part.at < at:
            continue  # other bits of the octets before
        if part.at > at:
            yield Padding(part.at - at)
        yield _as_member(part, declaration)
        at = part.end
    if at < end:
        yield Padding(end - at)


def _as_member(part: Part, declaration: Declaration) -> Construct[Any, Any]:
    if part.field is not None:
        return _member(part.at) / part.field.type.layout
    if part.what == SYNC:
        return f"sync_{part.at}" / Const(bytes(octet or 0 for octet in declaration.sync[part.at : part.end]))
    if part.what == END:
        return "end" / Const(declaration.end)
    if part.what == CHECKSUM:
        assert declaration.check is not None
        return "checksum" / BytesInteger(part.size, swapped=declaration.check.order == "little")
    assert isinstance(declaration.length, Length)
    length_field = declaration.length
    return "length" / Rebuild(
        length_field.type.layout, len_(this.rest) + (declaration.shortest - length_field.add)
    )


def _member(at: int) -> str:
    """Return the name of the member at this place, which several fields may read."""
    return f"at_{at}"


def _shape(declaration: Declaration) -> Shape:
    """Return the shape of the frame: sync and length are its head, mistakes behind them are flaws."""
    length_field = declaration.length
    head = list(declaration.sync)
    if isinstance(length_field, Length):
        head += [None] * (length_field.at + length_field.type.size - len(head))
    shortest, longest = declaration.shortest, declaration.longest

    def extent(buffer: bytes, at: int) -> int:
        if isinstance(length_field, int):
            return length_field
        place = at + length_field.at
        length = (
            int.from_bytes(buffer[place : place + length_field.type.size], length_field.type.order)
            + length_field.add
        )
        return length if shortest <= length <= longest else 0

    return Shape(
        head=re.compile(_pattern(tuple(head)), re.DOTALL),
        head_length=len(head),
        starts=bytes(range(256)) if head[0] is None else bytes((head[0],)),
        longest=longest,
        extent=extent,
        flaw=_flaw(declaration.check, declaration.end),
    )


def _flaw(check: Check | None, end: bytes) -> Callable[[bytes], NoiseReason | None]:
    """Return a function that names the flaw of a frame; fast, for noise brings many candidates."""
    if check is None:
        return lambda data: None if data.endswith(end) else NoiseReason.END
    of, order, start, stop = check.checksum.of, check.order, check.start, check.stop
    at, behind = check.at, check.at + check.checksum.size or None  # None: it ends the frame

    def of_one_octet(data: bytes) -> NoiseReason | None:
        if end and not data.endswith(end):
            return NoiseReason.END
        return None if data[at] == of(data[start:stop]) else NoiseReason.CHECKSUM

    def of_more(data: bytes) -> NoiseReason | None:
        if end and not data.endswith(end):
            return NoiseReason.END
        is_good = int.from_bytes(data[at:behind], order) == of(data[start:stop])
        return None if is_good else NoiseReason.CHECKSUM

    return of_one_octet if check.checksum.size == 1 else of_more


def _pattern(octets: Pattern) -> bytes:
    return b"".join(b"." if octet is None else re.escape(bytes((octet,))) for octet in octets)
