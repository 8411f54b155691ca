"""Modbus Application Protocol V1.1b3: the protocol data unit.

    function 1 | data 0–252          function + 0x80 in a reply: refused, one octet of exception code follows

One Construct declaration for each PDU and direction; the bridge builds requests and parses replies with them,
the simulated sensor does the opposite. What a declaration cannot say stands beside it: which octet counts
the rest, which counts are allowed (a register reply has an even one), which contents make sense. So the first
octets tell the length, which is how a framer cuts a stream without measuring silence.

The bridge writes to no sensor; the write functions are here for lines on which another master does.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from construct import Array, Byte, Bytes, Construct, Default, Int16ub, Prefixed, Rebuild, Struct, len_, this
from construct import GreedyBytes as Rest

from protocols.toolkit import layout
from protocols.toolkit.errors import Refusal

MAX_LENGTH: Final = 253  # §4.1
MAX_REGISTERS: Final = 125  # §6.3, §6.4, §6.17
MAX_WRITTEN_WITH_READ: Final = 121  # §6.17: registers that one request writes and reads others after it
MAX_BITS: Final = 2000  # §6.1, §6.2
REFUSED: Final = 0x80  # §7: added to the function code of a reply

READ_COILS: Final = 0x01
READ_DISCRETE_INPUTS: Final = 0x02
READ_HOLDING_REGISTERS: Final = 0x03
READ_INPUT_REGISTERS: Final = 0x04
WRITE_SINGLE_COIL: Final = 0x05
WRITE_SINGLE_REGISTER: Final = 0x06
READ_EXCEPTION_STATUS: Final = 0x07
WRITE_MULTIPLE_COILS: Final = 0x0F
WRITE_MULTIPLE_REGISTERS: Final = 0x10
REPORT_SERVER_ID: Final = 0x11
MASK_WRITE_REGISTER: Final = 0x16
READ_WRITE_MULTIPLE_REGISTERS: Final = 0x17
ENCAPSULATED_INTERFACE: Final = 0x2B
READ_DEVICE_IDENTIFICATION: Final = 0x0E  # the MEI type of 0x2B, §6.21

ILLEGAL_FUNCTION: Final = 0x01
ILLEGAL_DATA_ADDRESS: Final = 0x02
ILLEGAL_DATA_VALUE: Final = 0x03

EXCEPTIONS: Final[Mapping[int, str]] = {  # §7
    0x01: "illegal function",
    0x02: "illegal data address",
    0x03: "illegal data value",
    0x04: "server device failure",
    0x05: "acknowledge",
    0x06: "server device busy",
    0x08: "memory parity error",
    0x0A: "gateway path unavailable",
    0x0B: "gateway target device failed to respond",
}
KINDS: Final[Mapping[int, Refusal]] = {
    0x01: Refusal.FUNCTION,
    0x02: Refusal.ADDRESS,
    0x03: Refusal.VALUE,
    0x04: Refusal.FAILURE,
    0x05: Refusal.BUSY,
    0x06: Refusal.BUSY,
    0x08: Refusal.FAILURE,
    0x0A: Refusal.UNREACHABLE,
    0x0B: Refusal.UNREACHABLE,
}
PUT_OFF: Final = frozenset({0x05, 0x06, 0x0A, 0x0B})  # §7: the same request may be answered in a moment


def exception_name(code: int) -> str:
    """Return the specification's name of an exception code, or a text that says that it has none."""
    return EXCEPTIONS.get(code, f"exception 0x{code:02X}, not in the specification")


@dataclass(frozen=True, slots=True)
class Layout:
    """One PDU in one direction.

    Attributes:
        declaration: its fields in wire order, the function code first.
        counted_at: offset of the octet that counts all octets after it; None if there is no such octet.
        counts: the counts that are allowed.
        makes_sense: returns whether fields are within the specification's limits; tells a request from a
            reply that looks like one.
    """

    declaration: Construct[Any, Any]
    counted_at: int | None = None
    counts: Container[int] = ()
    makes_sense: Callable[[dict[str, Any]], bool] = lambda fields: True

    def length(self, head: bytes) -> int | None:
        """Return the length, in octets, of the PDU that begins with `head`.

        0 if no PDU begins so, None if more octets are needed to tell.
        """
        fixed = layout.size(self.declaration)
        if fixed is not None:
            return fixed
        if self.counted_at is None:
            return _identification_length(head)
        if len(head) <= self.counted_at:
            return None
        count = head[self.counted_at]
        return self.counted_at + 1 + count if count in self.counts else 0

    @property
    def is_told_by_second(self) -> bool:
        """Return whether the octet after the function code has a say in the length."""
        return layout.size(self.declaration) is None and self.counted_at in (None, 1)

    def parse(self, pdu: bytes) -> dict[str, Any]:
        """Return the fields of a PDU.

        Raises:
            FrameError, DecodeError: it is no such PDU.
        """
        return layout.parse(self.declaration, pdu)

    def build(self, **fields: Any) -> bytes:
        """Return the PDU with these fields.

        Raises:
            ValueError: a field is missing or does not fit.
        """
        return layout.build(self.declaration, **fields)


def _counted(name: str, *head: Any) -> Construct[Any, Any]:
    """Return the declaration of fields that are followed by an octet that counts the data after it."""
    count = "byte_count" / Rebuild(Byte, len_(this.data))
    return name / Struct("function" / Byte, *head, count, "data" / Bytes(this.byte_count))


_READ = "read request" / Struct("function" / Byte, "start" / Int16ub, "quantity" / Int16ub)
_WRITE_SINGLE = "write single" / Struct("function" / Byte, "start" / Int16ub, "value" / Int16ub)
_WRITE_MULTIPLE = _counted("write request", "start" / Int16ub, "quantity" / Int16ub)
_MASK_WRITE = "mask write" / Struct(
    "function" / Byte, "start" / Int16ub, "and_mask" / Int16ub, "or_mask" / Int16ub
)
_READ_WRITE = _counted(
    "read/write request",
    "read_start" / Int16ub,
    "read_quantity" / Int16ub,
    "write_start" / Int16ub,
    "write_quantity" / Int16ub,
)
_WRITTEN = "write reply" / Struct("function" / Byte, "start" / Int16ub, "quantity" / Int16ub)
_BARE = "request" / Struct("function" / Byte)
_DATA = _counted("reply")
_STATUS = "exception status" / Struct("function" / Byte, "status" / Byte)
_IDENTIFY = "identification request" / Struct(
    "function" / Byte,
    "mei_type" / Default(Byte, READ_DEVICE_IDENTIFICATION),
    "read_code" / Byte,
    "object_id" / Byte,
)
_IDENTIFICATION = "identification reply" / Struct(
    "function" / Byte,
    "mei_type" / Default(Byte, READ_DEVICE_IDENTIFICATION),
    "read_code" / Byte,
    "conformity" / Byte,
    "more_follows" / Byte,
    "next_object_id" / Byte,
    "number_of_objects" / Rebuild(Byte, len_(this.objects)),
    "objects" / Array(this.number_of_objects, Struct("id" / Byte, "value" / Prefixed(Byte, Rest))),
)
_OBJECTS_AT = 7


def _identification_length(head: bytes) -> int | None:
    """Return the length of a device identification reply (§6.21) as `Layout.length` does.

    It walks the objects; each has an id and a length octet.
    """
    for position, allowed_octets in ((1, _MEI_TYPES), (2, _READ_CODES), (3, _CONFORMITY), (4, _MORE_FOLLOWS)):
        if len(head) > position and head[position] not in allowed_octets:
            return 0
    if len(head) < _OBJECTS_AT:
        return None
    end = _OBJECTS_AT
    for _ in range(head[_OBJECTS_AT - 1]):
        if end + 1 >= len(head):
            return None
        end += 2 + head[end + 1]
        if end > MAX_LENGTH:
            return 0
    return end


_MEI_TYPES = (READ_DEVICE_IDENTIFICATION,)
_READ_CODES = range(1, 5)
_CONFORMITY = (0x01, 0x02, 0x03, 0x81, 0x82, 0x83)
_MORE_FOLLOWS = (0x00, 0xFF)


def _reads(max_quantity: int) -> Callable[[dict[str, Any]], bool]:
    return lambda f: 1 <= f["quantity"] <= max_quantity and f["start"] + f["quantity"] <= 0x10000


def _writes(octets: Callable[[int], int]) -> Callable[[dict[str, Any]], bool]:
    return lambda f: f["byte_count"] == octets(f["quantity"])


def _reads_and_writes(fields: dict[str, Any]) -> bool:
    reads: int = fields["read_quantity"]
    writes: int = fields["write_quantity"]
    return (
        1 <= reads <= MAX_REGISTERS
        and int(fields["read_start"]) + reads <= 0x10000
        and int(fields["write_start"]) + writes <= 0x10000
        and int(fields["byte_count"]) == octets_of_registers(writes)
    )


def octets_of_bits(quantity: int) -> int:
    """Return the number of octets for this quantity of coils or discrete inputs, eight in each."""
    return (quantity + 7) // 8


def octets_of_registers(quantity: int) -> int:
    """Return the number of octets for this quantity of registers, two for each."""
    return 2 * quantity


_read_bits = Layout(_READ, makes_sense=_reads(MAX_BITS))
_read_registers = Layout(_READ, makes_sense=_reads(MAX_REGISTERS))
_bits = Layout(_DATA, counted_at=1, counts=range(1, octets_of_bits(MAX_BITS) + 1))
_registers = Layout(_DATA, counted_at=1, counts=range(2, octets_of_registers(MAX_REGISTERS) + 1, 2))
_write_single = Layout(_WRITE_SINGLE)
_mask_write = Layout(_MASK_WRITE)

REQUESTS: Final[Mapping[int, Layout]] = {
    READ_COILS: _read_bits,
    READ_DISCRETE_INPUTS: _read_bits,
    READ_HOLDING_REGISTERS: _read_registers,
    READ_INPUT_REGISTERS: _read_registers,
    WRITE_SINGLE_COIL: _write_single,
    WRITE_SINGLE_REGISTER: _write_single,
    READ_EXCEPTION_STATUS: Layout(_BARE),
    WRITE_MULTIPLE_COILS: Layout(_WRITE_MULTIPLE, 5, range(1, 247), makes_sense=_writes(octets_of_bits)),
    WRITE_MULTIPLE_REGISTERS: Layout(
        _WRITE_MULTIPLE, 5, range(2, 247, 2), makes_sense=_writes(octets_of_registers)
    ),
    REPORT_SERVER_ID: Layout(_BARE),
    MASK_WRITE_REGISTER: _mask_write,
    READ_WRITE_MULTIPLE_REGISTERS: Layout(
        _READ_WRITE,
        9,
        range(2, octets_of_registers(MAX_WRITTEN_WITH_READ) + 1, 2),
        makes_sense=_reads_and_writes,
    ),
    ENCAPSULATED_INTERFACE: Layout(_IDENTIFY),
}

REPLIES: Final[Mapping[int, Layout]] = {
    READ_COILS: _bits,
    READ_DISCRETE_INPUTS: _bits,
    READ_HOLDING_REGISTERS: _registers,
    READ_INPUT_REGISTERS: _registers,
    WRITE_SINGLE_COIL: _write_single,
    WRITE_SINGLE_REGISTER: _write_single,
    READ_EXCEPTION_STATUS: Layout(_STATUS),
    WRITE_MULTIPLE_COILS: Layout(_WRITTEN),
    WRITE_MULTIPLE_REGISTERS: Layout(_WRITTEN),
    REPORT_SERVER_ID: Layout(_DATA, counted_at=1, counts=range(1, 252)),
    MASK_WRITE_REGISTER: _mask_write,
    READ_WRITE_MULTIPLE_REGISTERS: _registers,
    ENCAPSULATED_INTERFACE: Layout(_IDENTIFICATION),
}

EXCEPTION: Final = Layout("exception" / Struct("function" / Byte, "exception" / Byte))


def reply_layout(function: int) -> Layout | None:
    """Return the layout of a reply with this function code, a refusal's included; None if it is unknown."""
    if function & REFUSED:
        return EXCEPTION if function & ~REFUSED in REPLIES else None
    return REPLIES.get(function)


def reply_data(reply: bytes) -> bytes:
    """Return the data of a reply that counts them, and whose length was checked."""
    return reply[_DATA_AT[reply[0]] :]


_DATA_AT: Final = {
    function: reply.counted_at + 1 for function, reply in REPLIES.items() if reply.counted_at is not None
}


def span_read(request: bytes) -> tuple[int, int] | None:
    """Return the first address and the quantity that a request PDU reads; None if it reads none."""
    function = request[0]
    if function in _READS:
        fields = REQUESTS[function].parse(request)
        return fields["start"], fields["quantity"]
    if function == READ_WRITE_MULTIPLE_REGISTERS:
        fields = REQUESTS[function].parse(request)
        return fields["read_start"], fields["read_quantity"]
    return None


_READS: Final = (READ_COILS, READ_DISCRETE_INPUTS, READ_HOLDING_REGISTERS, READ_INPUT_REGISTERS)


@lru_cache(1024)
def reply_length(request: bytes) -> int | None:
    """Return the length of the PDU that answers a request PDU, in octets; None if the device decides it."""
    function = request[0]
    fixed = layout.size(REPLIES[function].declaration)
    if fixed is not None:
        return fixed
    span = span_read(request)
    if span is None:
        return None
    is_of_bits = function in (READ_COILS, READ_DISCRETE_INPUTS)
    return 2 + (octets_of_bits if is_of_bits else octets_of_registers)(span[1])


def answers(request: bytes, reply: bytes) -> bool:
    """Return whether a reply PDU answers a request PDU: function and length fit, or it is a refusal."""
    function = reply[0]
    if function != request[0]:
        return function == request[0] | REFUSED
    if function in _CONFIRMED:
        return reply == request[: len(reply)]
    length = len(reply)
    if reply_length(request) not in (length, None) or reply == request:  # equal: the echo of the request
        return False
    return REPLIES[function].length(reply) == length  # or it is another request, which may be as long


_CONFIRMED: Final = (  # by an echo of the request's head: §6.5, §6.6, §6.11, §6.12, §6.16
    WRITE_SINGLE_COIL,
    WRITE_SINGLE_REGISTER,
    WRITE_MULTIPLE_COILS,
    WRITE_MULTIPLE_REGISTERS,
    MASK_WRITE_REGISTER,
)
