"""The frames with which a model proves itself: what was asked, what was answered, which values that means.

    [[vector]]
    source = "the manual's example, page 12"      or, made up: facts = "ID" or synthesised = true
    request = "01 04 00 00 00 02 71 CB"
    reply = "01 04 04 43 66 33 34 1B 38"
    values = { voltage = 230.2 }

Frames that were made up are from what a source says of the registers (that with the ID), or from the map
itself; those prove its scales, not the map. The frames are Modbus RTU's, with address and CRC, as one copies
them from a manual or a capture. The values are all that the map finds in the reply: one that means "no value"
is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocols.modbus import pdu
from protocols.modbus.description import Describer
from protocols.modbus.registers import Register, Table
from protocols.modbus.serial_line import body
from protocols.toolkit.checksum import crc16_modbus
from protocols.toolkit.errors import Path, Problem, ProtocolError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.keys import close_words, misspelt, shown, unknown_keys
from protocols.toolkit.polling import Values

_KEYS: Final = ("source", "facts", "synthesised", "request", "reply", "values")
_SHORTEST: Final = 5  # octets of the shortest ADU here: address, function, one more, CRC
_READS: Final = [table.function for table in Table]


@dataclass(frozen=True, slots=True)
class Vector:
    """One exchange with the device, and what it means.

    Attributes:
        source: where the frames are from; "" if they were made up.
        facts: the id of the source from whose facts they were made up; "" if from the map.
        request, reply: the frames, with address and CRC.
        values: the values in the reply, by the names of the model's registers.
    """

    source: str
    request: bytes
    reply: bytes
    values: Values
    facts: str = ""

    @property
    def synthesised(self) -> bool:
        """Return whether the frames were made up."""
        return not self.source

    def differences(self, registers: Sequence[Register]) -> list[str]:
        """Return a sentence for each value that these registers decode otherwise than the vector says."""
        describe = Describer(registers)
        describe(Frame(self.request, Direction.REQUEST))
        decoded_values = describe(Frame(self.reply, Direction.REPLY)).get("values", {})
        return [
            f"{name} reads {_text(decoded_values, name)}, the vector says {_text(self.values, name)}"
            for name in {**self.values, **decoded_values}
            if (name in decoded_values, decoded_values.get(name))
            != (name in self.values, self.values.get(name))
        ]


def parse_vectors(
    blocks: object, names: Sequence[str], at: Path, problems: list[Problem]
) -> tuple[Vector, ...]:
    """Return the vectors of a model with registers of these names; every mistake is added to `problems`."""
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
        problems.append((at, "is not a list of blocks, write each as [[vector]]"))
        return ()
    vectors = (_parse(block, names, (*at, number), problems) for number, block in enumerate(blocks))
    return tuple(vector for vector in vectors if vector)


def _parse(
    block: Mapping[str, Any], names: Sequence[str], at: Path, problems: list[Problem]
) -> Vector | None:
    before = len(problems)
    problems += unknown_keys(block, _KEYS, at)
    source = block.get("source", "")
    synthesised, facts = block.get("synthesised", False), block.get("facts", "")
    if not isinstance(synthesised, bool):
        problems.append(((*at, "synthesised"), f"{shown(synthesised)} is neither true nor false"))
    elif [bool(source), synthesised, bool(facts)].count(True) != 1 and not misspelt(block, _KEYS):
        text = (
            "needs either the source of its frames, or synthesised = true if they were made up from the map"
        )
        problems.append((at, text))
    for key, value in (("source", source), ("facts", facts)):
        if not isinstance(value, str):
            problems.append(((*at, key), f"{shown(value)} is not a text in quotes"))
    request = _frame(block, "request", at, problems)
    reply = _frame(block, "reply", at, problems)
    if request and reply:
        problems += [((*at, key), message) for key, message in _misfits(request, reply)]
    values = _values(block.get("values"), names, (*at, "values"), problems)
    if len(problems) > before:
        return None
    return Vector(source, request, reply, values, facts)


def _values(table: object, names: Sequence[str], at: Path, problems: list[Problem]) -> Values:
    if not isinstance(table, Mapping):
        fault = "is missing" if table is None else f"{shown(table)} is not a table of values"
        problems.append((at, f"{fault}: what the reply means, for example {{ voltage = 230.2 }}"))
        return {}
    for name, value in table.items():
        if name not in names:
            problems.append(((*at, name), f"is not a register of this model{_suggestion(name, names)}"))
        elif not isinstance(value, int | float | str):
            message = f"{shown(value)} is not a value, write a number, a text, true or false"
            problems.append(((*at, name), message))
    return dict(table)


def _text(values: Values, name: str) -> str:
    return shown(values[name]) if name in values else "no value"


def _suggestion(name: str, names: Sequence[str]) -> str:
    close = close_words(name, names, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _frame(block: Mapping[str, Any], key: str, at: Path, problems: list[Problem]) -> bytes:
    """Return a frame whose CRC is right; b"" if there is none, its mistake is then added to `problems`."""
    digits = block.get(key)
    if digits is None:
        message = f"is missing: the {key} as hex digits, address and CRC included"
    else:
        try:
            data = bytes.fromhex(digits)
        except (TypeError, ValueError):
            message = 'is not a frame in hex, write pairs of digits: "01 04 00 00 00 02 71 CB"'
        else:
            if len(data) >= _SHORTEST and not crc16_modbus(data):
                return data
            right = crc16_modbus(data[:-2]).to_bytes(2, "little").hex(" ").upper()
            message = f"its CRC is wrong: that of the octets before it is {right}"
            if len(data) < _SHORTEST:
                message = f"{len(data)} octets are not a frame, address and CRC included"
    problems.append(((*at, key), message))
    return b""


def _misfits(request: bytes, reply: bytes) -> list[tuple[str, str]]:
    """Return the key and the message of each mistake in a request and its reply, both good frames."""
    request_pdu, reply_pdu = body(Frame(request)), body(Frame(reply))
    if request_pdu[0] not in _READS:
        return [("request", f"function {request_pdu[0]} reads no values, use 1, 2, 3 or 4")]
    request_layout, reply_layout = pdu.REQUESTS[request_pdu[0]], pdu.REPLIES.get(reply_pdu[0])
    fields = _fields(request_layout, request_pdu)
    if fields is None or not request_layout.makes_sense(fields):
        return [("request", "is not a request to read: address, function, start, quantity, CRC")]
    is_whole = reply_layout is not None and _fields(reply_layout, reply_pdu) is not None
    if request[0] != reply[0] or not is_whole or not pdu.answers(request_pdu, reply_pdu):
        return [("reply", "does not answer the request: another address, function or length")]
    return []


def _fields(layout: pdu.Layout, pdu_octets: bytes) -> dict[str, Any] | None:
    try:
        return layout.parse(pdu_octets)
    except ProtocolError:
        return None
