"""Frames into fields under the specification's names: for people, and for what reads `decode --json`."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.registers import Register, Table, octets_of
from protocols.modbus.serial_line import RTU
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import Values
from protocols.toolkit.protocol import Fields
from protocols.toolkit.scaling import Missing

_TABLES = {table.function: table for table in Table} | {pdu.READ_WRITE_MULTIPLE_REGISTERS: Table.HOLDING}


class Describer:
    """Turns the frames of one stream, in their order, into fields.

    A reply does not carry the addresses that it is about: they are those of the request before it. With the
    registers of a model, the values of a reply are named by them, if its request was seen.
    """

    def __init__(self, registers: Sequence[Register] = (), carrier: Carrier = RTU) -> None:
        self._registers = registers
        self._carrier = carrier
        self._request: tuple[int, bytes] | None = None  # unit and PDU of the request just before

    def __call__(self, frame: Frame) -> Fields:
        """Return the fields of a frame, and the decoded values of a reply whose request was seen."""
        request = self._request
        unit, body = self._carrier.unit(frame), self._carrier.body(frame)
        if frame.direction is Direction.REQUEST:
            self._request = unit, body
            return _fields(unit, body, pdu.REQUESTS[body[0]])
        self._request = None
        layout = pdu.reply_layout(body[0])
        assert layout is not None
        fields = _fields(unit, body, layout)
        if request is not None and request[0] == unit and pdu.answers(request[1], body):
            values = self._values(request[1], body)
            if values:
                fields["values"] = values
        return fields

    def _values(self, request: bytes, reply: bytes) -> Values:
        table, span = _TABLES.get(reply[0]), pdu.span_read(request)
        if table is None or span is None:
            return {}
        first, quantity = span
        data = pdu.REPLIES[reply[0]].parse(reply)["data"]

        def octets(register_table: Table, start: int, words: int) -> bytes | None:
            offset = start - first
            is_in_reply = register_table is table and offset >= 0 and offset + words <= quantity
            return octets_of(table, data, offset, words) if is_in_reply else None

        values: Values = {}
        for register in self._registers:
            raw = octets(register.table, register.start, register.words)
            scaled_register: Register | None = register
            if register.scale is not None:
                factor = octets(*register.scale, 1)
                scaled_register = register.scaled_by(factor) if factor else None
            value = scaled_register.value(raw) if scaled_register and raw else Missing.NO_VALUE
            if not isinstance(value, Missing):
                values[register.name] = value
        return values


def _fields(unit: int, data: bytes, layout: pdu.Layout) -> Fields:
    fields: Fields = {"address": unit} | layout.parse(data)
    function = fields["function"]
    if function & pdu.REFUSED:
        fields["function"] = function & ~pdu.REFUSED
        fields["exception_name"] = pdu.exception_name(fields["exception"])
    octets = fields.get("data")
    if isinstance(octets, bytes):
        fields["data"] = octets.hex()
        if function in _REGISTER_FUNCTIONS:
            fields["registers"] = [
                int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)
            ]
    if "objects" in fields:
        fields["objects"] = {
            str(item["id"]): item["value"].decode("utf-8", "replace") for item in fields["objects"]
        }
    return fields


_REGISTER_FUNCTIONS = (
    pdu.READ_HOLDING_REGISTERS,
    pdu.READ_INPUT_REGISTERS,
    pdu.WRITE_MULTIPLE_REGISTERS,
    pdu.READ_WRITE_MULTIPLE_REGISTERS,
)
