"""What the registers of an unknown device may mean: every reading of them, and those that are plausible.

    register  hex   uint16   int16  text
         12  4366    17254   17254  Cf
    from 12   float32 ABCD *230.1   CDAB  2.1e-38 …

A reading is marked with * where its number is one that a sensor would give: a float of moderate size and few
digits, a whole number of moderate size, a text of printable letters. Which of them is right only the manual
or the sensor's display can tell.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypedDict

from protocols.modbus.registers import ORDERS, Register, Table
from protocols.toolkit.scaling import Missing

_LEAST, _MOST = 1e-3, 1e7  # of a float that a sensor gives
_MOST_INTEGER = 100_000_000
_ORDERS_OF_INTEGERS = ("ABCD", "CDAB")
_FEW_DIGITS = 6
_LEAST_LETTERS = 4


class Pair(TypedDict):
    """Two registers, read as one number in each order of their octets."""

    float32: dict[str, float | None]
    int32: dict[str, int]
    plausible: list[str]  # "float32 CDAB" and the like


class Peek(TypedDict):
    """The document of `peek --json`."""

    bus: str
    unit: int
    table: str
    registers: dict[int, int]  # by address; of coils and discrete inputs 0 or 1
    pairs: dict[int, Pair]  # by the address of the first register
    texts: dict[int, str]  # readable text, by the address at which it begins
    refusals: list[str]


def peek_of(bus: str, unit: int, table: Table, values: Mapping[str, Any], refusals: list[str]) -> Peek:
    """Return every reading of these registers, whose values are by their address."""
    registers = {int(address): int(value) for address, value in values.items()}
    pairs = {} if table.of_bits else dict(_pairs(registers))
    texts = {} if table.of_bits else dict(_texts(registers))
    return {
        "bus": bus,
        "unit": unit,
        "table": table.key,
        "registers": registers,
        "pairs": pairs,
        "texts": texts,
        "refusals": list(_refused(table, registers, refusals)),
    }


def lines(peek: Peek) -> Iterator[str]:
    """Yield the table for people, then the next step."""
    if peek["table"] in (Table.COIL.key, Table.DISCRETE.key):
        yield f"{peek['table']}  value"
        yield from (
            f"{address:>{len(peek['table'])}}  {value}" for address, value in peek["registers"].items()
        )
    else:
        yield f"{peek['table']:>8}   hex  uint16   int16  text"
        for address, value in peek["registers"].items():
            signed = value - 0x10000 if value & 0x8000 else value
            yield f"{address:>8}  {value:04X}  {value:>6}  {signed:>6}  {_letters(value)}"
        yield ""
        yield f"{'from':>8}           " + "".join(f"{order:>14}" for order in ORDERS)
        for address, pair in peek["pairs"].items():
            yield f"{address:>8}  float32  " + "".join(_cell(pair, "float32", order) for order in ORDERS)
            yield f"{'':>8}  int32    " + "".join(_cell(pair, "int32", order) for order in ORDERS)
        for address, text in peek["texts"].items():
            yield f"{address:>8}  text      * {text}"
    yield from peek["refusals"]
    yield from _next_step(peek)


def _refused(table: Table, registers: Mapping[int, int], refusals: Sequence[str]) -> Iterator[str]:
    """Yield one sentence for each reason, with the addresses that no request has brought.

    A span that is refused is asked for again in halves, and each of them may be refused as well.
    """
    of_span = re.compile(rf"(refuses {table.plural} )(\d+)(?:–(\d+))?(:.*)", re.DOTALL)
    reasons: dict[int, tuple[str, str]] = {}  # by address: what stands before the addresses, and behind them
    for sentence in dict.fromkeys(refusals):
        if (match := of_span.fullmatch(sentence)) is None:
            yield sentence
            continue
        span = range(int(match[2]), int(match[3] or match[2]) + 1)
        reasons |= {address: (match[1], match[4]) for address in span if address not in registers}
    for reason in dict.fromkeys(reasons.values()):
        before, behind = reason
        yield before + _runs(sorted(address for address in reasons if reasons[address] == reason)) + behind


def _runs(addresses: Sequence[int]) -> str:
    """Return sorted addresses as text: 0–4, 9."""
    begins = [address for address in addresses if address - 1 not in addresses]
    ends = [address for address in addresses if address + 1 not in addresses]
    return ", ".join(
        str(begin) if begin == end else f"{begin}–{end}" for begin, end in zip(begins, ends, strict=True)
    )


def _next_step(peek: Peek) -> Iterator[str]:
    """Yield what to write into site.toml for the first plausible float, else for the first register."""
    entries = [
        f'{{ {peek["table"]} = {address}, type = "float32"{_order_key(reading)} }}'
        for address, pair in peek["pairs"].items()
        for reading in pair["plausible"]
        if reading.startswith("float32")
    ]
    entries += [f"{{ {peek['table']} = {address} }}" for address in peek["registers"]]
    if entries:
        yield "next: compare with the sensor's display, then write into its registers:"
        yield f"      NAME = {entries[0]}"


def _order_key(reading: str) -> str:
    order = reading.partition(" ")[2]
    return "" if order == "ABCD" else f', order = "{order}"'


def _pairs(registers: Mapping[int, int]) -> Iterator[tuple[int, Pair]]:
    for address, high in registers.items():
        low = registers.get(address + 1)
        if low is None or not (high or low):
            continue
        octets = struct.pack(">HH", high, low)
        floats = {order: _read(octets, "float32", order) for order in ORDERS}
        integers = {order: _read(octets, "int32", order) for order in ORDERS}
        plausible = [f"float32 {order}" for order, number in floats.items() if _is_plausible_float(number)]
        plausible += [
            f"int32 {order}"
            for order, number in integers.items()
            if order in _ORDERS_OF_INTEGERS and number is not None and 0 < abs(number) < _MOST_INTEGER
        ]
        yield (
            address,
            {
                "float32": floats,
                "int32": {order: int(number or 0) for order, number in integers.items()},
                "plausible": plausible,
            },
        )


def _read(octets: bytes, kind: str, order: str) -> float | None:
    value = Register(name="", table=Table.HOLDING, start=0, type=kind, words=2, order=order).value(octets)
    return None if isinstance(value, Missing | str | bool) else value


def _is_plausible_float(number: float | None) -> bool:
    return number is not None and _LEAST <= abs(number) <= _MOST


def _cell(pair: Pair, kind: str, order: str) -> str:
    number = pair["float32"][order] if kind == "float32" else pair["int32"][order]
    mark = "*" if f"{kind} {order}" in pair["plausible"] else ""
    text = "-" if number is None else f"{number:.{_FEW_DIGITS}g}" if kind == "float32" else str(number)
    return f"{mark + text:>14}"


def _letters(value: int) -> str:
    return "".join(chr(octet) if 0x20 < octet < 0x7F else "." for octet in value.to_bytes(2, "big"))


def _texts(registers: Mapping[int, int]) -> Iterator[tuple[int, str]]:
    """Yield the runs of registers that hold printable letters."""
    begin, text, last = 0, "", -1
    for address, value in [*registers.items(), (-10, 0)]:
        letters = _letters(value)
        if "." in letters or address != last + 1:
            if len(text) >= _LEAST_LETTERS:
                yield begin, text
            text = ""
        if "." not in letters:
            begin = begin if text else address
            text += letters
        last = address


LARGEST: Final = 500
"""Registers that are read at once."""
