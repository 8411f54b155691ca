"""One read, prepared: the request, and the plan by which its reply is decoded for each sensor.

A device is polled for the same registers again and again. So a read is prepared once: its registers become
one `struct` plan that unpacks the whole reply in a single call, and a list of what is still to be done with
each number. `Register.value` defines the meaning of a register; a plan only comes to the same result sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
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
    """A prepared read of one unit.

    Attributes:
        read: the table and the addresses.
        request: the request that brings them.
        places: the places of the values that sensors need from it.
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
            sensors: the registers of each sensor of this unit, those of other reads included.
            gap_s: least quiet time before the request, in seconds.
        """
        self.read = read
        self.request = _request(carrier, unit, read, gap_s)
        self.places = frozenset((read.table, span) for span in read.wanted)
        needed_spans = frozenset(read.wanted)
        self._plans = [
            Plan(
                [
                    register
                    for register in registers
                    if register.table is read.table
                    and register.scale is None
                    and Span(register.start, register.end) in needed_spans
                ],
                read.span.start,
            )
            for registers in sensors
        ]

    def into(self, values_by_sensor: Sequence[Values], data: bytes) -> int:
        """Add the values in a reply's data to those of each sensor; return how many were out of limits."""
        out_of_limits = 0
        for sensor, plan in enumerate(self._plans):
            out_of_limits += plan.into(values_by_sensor[sensor], data)
        return out_of_limits


def scaled_into(values: Values, registers: Sequence[Register], replies: Sequence[tuple[Fetch, bytes]]) -> int:
    """Add the values whose scale stands in a register of its own; return how many were out of limits.

    Value and scale may stand in different replies of one poll; if one of them is missing, so is the value.
    """
    out_of_limits = 0
    for register in registers:
        if register.scale is None:
            continue
        table, scale_start = register.scale
        octets = octets_of_span(replies, register.table, Span(register.start, register.end))
        factor = octets_of_span(replies, table, Span(scale_start, scale_start + 1))
        scaled_register = register.scaled_by(factor) if octets and factor else None
        value = scaled_register.value(octets) if scaled_register and octets else Missing.NO_VALUE
        if value is Missing.OUT_OF_LIMITS:
            out_of_limits += 1
        elif value is not Missing.NO_VALUE:
            values[register.name] = value
    return out_of_limits


def places_of(register: Register) -> tuple[tuple[Table, Span], ...]:
    """Return the place of a register, and that of its scale register if it has one."""
    place = register.table, Span(register.start, register.end)
    if register.scale is None:
        return (place,)
    table, start = register.scale
    return place, (table, Span(start, start + 1))


def octets_of_span(replies: Sequence[tuple[Fetch, bytes]], table: Table, span: Span) -> bytes | None:
    """Return the octets of a wanted span, from the reply that brought it; None if none did."""
    for fetch, data in replies:
        if (table, span) in fetch.places:
            return octets_of(table, data, span.start - fetch.read.span.start, span.end - span.start)
    return None


class Plan:
    """Decodes the data of a reply for registers of one table, in the order of their addresses.

    Bits, and a register that overlaps an earlier one, do not fit a `struct`: they are decoded one by one.
    """

    def __init__(self, registers: Sequence[Register], start: int) -> None:
        """Prepare the plan.

        Args:
            registers: the registers to decode.
            start: the address whose octets come first in the data.
        """
        self._start = start
        self._decoded_singly: list[Register] = []
        self._steps: list[tuple[str, _Meaning | None]] = []  # for each number of the struct
        code = ""
        end = start
        for register in sorted(registers, key=lambda register: register.start):
            if register.table.of_bits or register.start < end:
                self._decoded_singly.append(register)
                continue
            kind, meaning = _unpacking(register)
            code += f"{2 * (register.start - end)}x{kind}"
            end = register.end
            self._steps.append((register.name, meaning))
        self._unpack = layout.plan(code).unpack_from
        self._names = tuple(name for name, _ in self._steps)
        self._is_plain = not self._decoded_singly and not any(meaning for _, meaning in self._steps)

    def into(self, values: Values, data: bytes) -> int:
        """Add the values in these octets to `values`; return how many were out of their limits."""
        numbers = self._unpack(data)
        if self._is_plain:
            values |= zip(self._names, numbers)  # noqa: B905 — a name for each number; `strict` takes 0.2 µs
            return 0
        out_of_limits = 0
        for (name, meaning), number in zip(self._steps, numbers, strict=True):
            value = number if meaning is None else meaning(number)
            if value is Missing.OUT_OF_LIMITS:
                out_of_limits += 1
            elif value is not Missing.NO_VALUE:
                values[name] = value
        for register in self._decoded_singly:
            at = register.start - self._start
            value = register.value(octets_of(register.table, data, at, register.words))
            if value is Missing.OUT_OF_LIMITS:
                out_of_limits += 1
            elif value is not Missing.NO_VALUE:
                values[register.name] = value
        return out_of_limits


def _unpacking(register: Register) -> tuple[str, _Meaning | None]:
    """Return the `struct` code of a register, and the function from that number to the value; None: none."""
    kind = TYPES.get(register.type)
    picks_bits = register.bit is not None or register.mask is not None or register.enum or register.invalid
    if kind is None or kind.code is None or not kind.is_integer or register.order != "ABCD" or picks_bits:
        return f"{2 * register.words}s", register.value
    return f"{2 * kind.words - kind.octets}x{kind.code}", None if register.is_raw else register.scaled


def _request(carrier: Carrier, unit: int, read: Read, gap_s: float) -> Request:
    span = read.span
    function = read.table.function
    request_pdu = pdu.REQUESTS[function].build(
        function=function, start=span.start, quantity=span.end - span.start
    )
    length = pdu.reply_length(request_pdu)
    assert length is not None
    data = carrier.adu(unit, request_pdu)

    def is_put_off(frame: Frame) -> bool:
        body = carrier.body(frame)
        return bool(body[0] & pdu.REFUSED) and body[1] in pdu.PUT_OFF

    def is_own(frame: Frame) -> bool:
        try:
            return carrier.unit(frame) == unit
        except ValueError:  # the beginning of a frame, or what looks like one
            return False

    return Request(
        data=data,
        framer=partial(carrier.reply_framer, data),
        accepts=carrier.answered_by(data),
        reply_length=carrier.octets(length),
        summary=f"unit {unit}: {read}",
        pause_s=gap_s,
        is_put_off=is_put_off,
        shape=(unit, function, length),
        is_own=is_own,
    )
