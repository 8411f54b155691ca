"""The raw registers behind the values of a poll, for a person who compares them with a manual."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.registers import Register, Table, octets_of
from protocols.toolkit.framing import Frame

_TABLES = {table.function: table for table in Table}


def raw_registers(
    registers: Sequence[Register], exchanges: Iterable[tuple[bytes, bytes]], carrier: Carrier
) -> dict[str, str]:
    """Return for each register that was read where it stands and its contents: "input 12–13: 4366 3333".

    Args:
        registers: those of a sensor.
        exchanges: requests and their replies, whole, as they were on the wire.
        carrier: what carries their PDUs.
    """
    raw: dict[str, str] = {}
    for request_data, reply_data in exchanges:
        request, reply = carrier.body(Frame(request_data)), carrier.body(Frame(reply_data))
        table = _TABLES.get(request[0])
        if table is None or reply[0] != request[0]:
            continue
        fields, data = pdu.REQUESTS[request[0]].parse(request), reply[2:]
        first, end = fields["start"], fields["start"] + fields["quantity"]
        for register in registers:
            if register.table is table and first <= register.start and register.end <= end:
                octets = octets_of(table, data, register.start - first, register.words)
                raw[register.name] = f"{_place(register)}: {_contents(octets, is_bit=table.of_bits)}"
    return raw


def _place(register: Register) -> str:
    last = register.end - 1
    return f"{register.table.key} {register.start}" + (f"–{last}" if last > register.start else "")


def _contents(octets: bytes, *, is_bit: bool) -> str:
    return str(octets[0]) if is_bit else octets.hex(" ", 2).upper()
