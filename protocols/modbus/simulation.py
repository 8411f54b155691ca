"""A simulated unit: the other side of the line, for tests and the demo.

It builds its replies with the declarations that the parser parses with, and refuses as the specification says
(App. Protocol §6, the state diagrams): function first, then quantity, then addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocols.modbus import pdu
from protocols.modbus.ascii import ASCII
from protocols.modbus.carrier import Carrier
from protocols.modbus.registers import Table
from protocols.modbus.serial_line import BROADCAST, RTU
from protocols.toolkit.framing import Frame
from protocols.toolkit.simulation import Dialect

_TABLES = {table.function: table for table in Table}


@dataclass(slots=True)
class SimulatedUnit:
    """A device with registers to read.

    Attributes:
        address: its unit address.
        holding, input: register → its 16 bits. An address that is not here does not exist.
        coils, discretes: bit → its state.
        refuse: existing registers that are refused all the same, as (key of a table, address).
        max_registers: the most registers of one read; more is an illegal data value.
        carrier: the transmission mode that it speaks.
        objects: what it says of itself by 0x2B/0x0E: maker, type and version; () if it has not this function.
    """

    address: int
    holding: dict[int, int] = field(default_factory=dict)
    input: dict[int, int] = field(default_factory=dict)
    coils: dict[int, bool] = field(default_factory=dict)
    discretes: dict[int, bool] = field(default_factory=dict)
    refuse: set[tuple[str, int]] = field(default_factory=set)
    max_registers: int = pdu.MAX_REGISTERS
    carrier: Carrier = RTU
    objects: tuple[str, ...] = ()

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None if the request is for another unit, or a broadcast."""
        if self.carrier.unit(request) != self.address:
            return None
        return self.carrier.adu(self.address, self._reply(self.carrier.body(request)))

    def _reply(self, request: bytes) -> bytes:
        function = request[0]
        if function == pdu.ENCAPSULATED_INTERFACE and self.objects:
            return _identification(self.objects)
        table = _TABLES.get(function)
        if table is None:
            return _refusal(function, pdu.ILLEGAL_FUNCTION)
        fields = pdu.REQUESTS[function].parse(request)
        start, quantity = fields["start"], fields["quantity"]
        if not 1 <= quantity <= (pdu.MAX_BITS if table.of_bits else self.max_registers):
            return _refusal(function, pdu.ILLEGAL_DATA_VALUE)
        values_by_address = self._values_of(table)
        addresses = range(start, start + quantity)
        if any(
            address not in values_by_address or (table.key, address) in self.refuse for address in addresses
        ):
            return _refusal(function, pdu.ILLEGAL_DATA_ADDRESS)
        values = [values_by_address[address] for address in addresses]
        data = _pack(values) if table.of_bits else b"".join(value.to_bytes(2, "big") for value in values)
        return pdu.REPLIES[function].build(function=function, data=data)

    def _values_of(self, table: Table) -> dict[int, int] | dict[int, bool]:
        match table:
            case Table.COIL:
                return self.coils
            case Table.DISCRETE:
                return self.discretes
            case Table.INPUT:
                return self.input
            case Table.HOLDING:
                return self.holding


def _refusal(function: int, code: int) -> bytes:
    return pdu.EXCEPTION.build(function=function | pdu.REFUSED, exception=code)


def _identification(objects: Sequence[str]) -> bytes:
    """Return the reply to 0x2B/0x0E with the basic objects, from 0 on."""
    return pdu.REPLIES[pdu.ENCAPSULATED_INTERFACE].build(
        function=pdu.ENCAPSULATED_INTERFACE,
        read_code=1,
        conformity=1,
        more_follows=0,
        next_object_id=0,
        objects=[{"id": at, "value": text.encode()} for at, text in enumerate(objects)],
    )


def _pack(bits: list[int]) -> bytes:
    number = sum(bool(bit) << place for place, bit in enumerate(bits))
    return number.to_bytes(pdu.octets_of_bits(len(bits)), "little")


def _dialect(carrier: Carrier, damaged: Callable[[bytes], bytes]) -> Dialect:
    """Return the dialect of a transmission mode; `damaged` spoils the check of a reply."""

    def refused(request: Frame, code: int) -> bytes:
        function = carrier.body(request)[0] | pdu.REFUSED
        return carrier.adu(carrier.unit(request), pdu.EXCEPTION.build(function=function, exception=code))

    return Dialect(
        framer=carrier.request_framer,
        address=carrier.unit,
        concerns=lambda request, address: carrier.unit(request) in (address, BROADCAST),
        message=carrier.body,
        refused=refused,
        misaddressed=lambda reply: carrier.adu(carrier.unit(reply) % 247 + 1, carrier.body(reply)),
        damaged=damaged,
    )


def _other_digit(reply: bytes) -> bytes:
    """Return a reply in ASCII with another last digit of its LRC."""
    return reply[:-3] + (b"1" if reply[-3:-2] == b"0" else b"0") + reply[-2:]


MODBUS_RTU = _dialect(RTU, lambda reply: reply[:-1] + bytes((reply[-1] ^ 0xFF,)))
MODBUS_ASCII = _dialect(ASCII, _other_digit)
