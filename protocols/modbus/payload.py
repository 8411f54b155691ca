"""One read with all that can be known before its reply: the request, and what the reply means to each sensor.

A device is asked for the same registers again and again. So a read is prepared once: its registers become one
`struct` plan that takes the whole reply apart in a single call, and a list of what is still to be done with
each number. `Register.value` says what a register means; a plan only comes to the same result sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.plan import Read, Span
from protocols.modbus.registers import TYPES, Register, Table, octets_of
from protocols.toolkit import layout
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Request, Value, Values
from protocols.toolkit.scaling import Missing

_Meaning = Callable[[Any], Value | Missing]


class Fetch:
    """A read of one unit, prepared.

    Attributes:
        read: what it reads.
        request: how it is asked.
        places: what is wanted from it.
    """

    def __init__(
        self,
        carrier: Carrier,
        unit: int,
        read: Read,
        sensors: Sequence[Sequence[Register]],
        gap_s: float = 0.0,
    ) -> None:
        """Prepare a read.

        Args:
            carrier: the transmission mode.
            unit: the unit address.
            read: what to read.
            sensors: the registers of each sensor of this unit, whether this read brings them or not.
            gap_s: least quiet time before the request.
        """
        self.read = read
        self.request = _request(carrier, unit, read, gap_s)
        self.places = frozenset((read.table, span) for span in read.wanted)
        wanted = frozenset(read.wanted)
        self._plans = [
            Plan(
                [
                    register
                    for register in registers
                    if register.table is read.table
                    and register.scale is None
                    and Span(register.start, register.end) in wanted
                ],
                read.span.start,
            )
            for registers in sensors
        ]

    def into(self, found: Sequence[Values], data: bytes) -> int:
        """Adds what a reply's data tell to the values of each sensor; returns how many were out of limits."""
        out_of_limits = 0
        for plan, values in zip(self._plans, found, strict=True):
            out_of_limits += plan.into(values, data)
        return out_of_limits


def scaled_into(values: Values, registers: Sequence[Register], replies: Sequence[tuple[Fetch, bytes]]) -> int:
    """Add the values whose scale stands in a register of its own; return how many were out of limits.

    Value and scale may stand in different replies of one poll; if one of them is missing, so is the value.
    """
    out_of_limits = 0
    for register in registers:
        if register.scale is None:
            continue
        table, at = register.scale
        octets = _octets(replies, register.table, Span(register.start, register.end))
        factor = _octets(replies, table, Span(at, at + 1))
        scaled = register.scaled_by(factor) if octets and factor else None
        value = scaled.value(octets) if scaled and octets else Missing.NO_VALUE
        if value is Missing.OUT_OF_LIMITS:
            out_of_limits += 1
        elif value is not Missing.NO_VALUE:
            values[register.name] = value
    return out_of_limits


def _octets(replies: Sequence[tuple[Fetch, bytes]], table: Table, span: Span) -> bytes | None:
    """The octets of a span, from the reply that brought it."""
    for fetch, data in replies:
        if (table, span) in fetch.places:
            return octets_of(table, data, span.start - fetch.read.span.start, span.end - span.start)
    return None


class Plan:
    """Takes the data of a reply apart for registers of one table, in the order of their addresses.

    Bits, and a register that lies across an earlier one, are for no `struct`: they are taken out one by one.
    """

    def __init__(self, registers: Sequence[Register], start: int) -> None:
        """`start`: the address whose octets come first."""
        self._start = start
        self._apart: list[Register] = []
        self._steps: list[tuple[str, _Meaning | None]] = []  # for each number of the struct
        code = ""
        end = start
        for register in sorted(registers, key=lambda one: one.start):
            if register.table.of_bits or register.start < end:
                self._apart.append(register)
                continue
            kind, meaning = _taken_by(register)
            code += f"{2 * (register.start - end)}x{kind}"
            end = register.end
            self._steps.append((register.name, meaning))
        self._struct = layout.plan(code)
        self._names = tuple(name for name, _ in self._steps)
        self._is_plain = not any(meaning for _, meaning in self._steps)

    def into(self, values: Values, data: bytes) -> int:
        """Adds the values in these octets; returns how many were out of their limits."""
        numbers = self._struct.unpack_from(data)
        out_of_limits = 0
        if self._is_plain:
            values.update(zip(self._names, numbers, strict=True))
        else:
            for (name, meaning), number in zip(self._steps, numbers, strict=True):
                value = number if meaning is None else meaning(number)
                if value is Missing.OUT_OF_LIMITS:
                    out_of_limits += 1
                elif value is not Missing.NO_VALUE:
                    values[name] = value
        for register in self._apart:
            at = register.start - self._start
            value = register.value(octets_of(register.table, data, at, register.words))
            if value is Missing.OUT_OF_LIMITS:
                out_of_limits += 1
            elif value is not Missing.NO_VALUE:
                values[register.name] = value
        return out_of_limits


def _taken_by(register: Register) -> tuple[str, _Meaning | None]:
    """The `struct` code of a register, and what that number means; None: it is the value."""
    kind = TYPES.get(register.type)
    picks = register.bit is not None or register.mask is not None or register.enum or register.invalid
    if kind is None or kind.code is None or not kind.is_integer or register.order != "ABCD" or picks:
        return f"{2 * register.words}s", register.value
    return f"{2 * kind.words - kind.octets}x{kind.code}", None if register.is_raw else register.scaled


def _request(carrier: Carrier, unit: int, read: Read, gap_s: float) -> Request:
    span = read.span
    function = read.table.function
    asked = pdu.REQUESTS[function].build(function=function, start=span.start, quantity=span.end - span.start)
    length = pdu.reply_length(asked)
    assert length is not None
    data = carrier.adu(unit, asked)

    def accepts(frame: Frame) -> bool:
        return carrier.unit(frame) == unit and pdu.answers(asked, carrier.body(frame))

    def is_put_off(frame: Frame) -> bool:
        body = carrier.body(frame)
        return bool(body[0] & pdu.REFUSED) and body[1] in pdu.PUT_OFF

    return Request(
        data=data,
        framer=lambda: carrier.reply_framer(data),
        accepts=accepts,
        reply_length=carrier.octets(length),
        summary=f"unit {unit}: {read}",
        pause_s=gap_s,
        is_put_off=is_put_off,
        shape=(unit, function, length),
        is_own=lambda frame: carrier.unit(frame) == unit,
    )
