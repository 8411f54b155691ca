"""EN 13757-3: data records, of which the variable data structure is made.

    DIF | DIFE … | VIF | text | VIFE … | LVAR | data

    DIF:   bit 7 DIFE follow | bit 6 storage number, lowest bit | bits 5–4 function | bits 3–0 data field
    DIFE:  bit 7 another follows | bit 6 subunit | bits 5–4 tariff | bits 3–0 storage number, the next bits
    VIF:   bit 7 VIFE follow | bits 6–0 quantity of the data

Where the VIF is 7C, a text stands in for it: its length, and its characters, the last one first. DIF 0F and
1F begin data that only the manufacturer knows, to the end of the telegram; 1F says that another telegram can
be read. 2F is filler. The length of a record shows octet by octet, so there is no layout to declare; a record
that does not end within the telegram is a fault, and the records before it stay valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.mbus.data import LVAR, OCTETS, SPECIAL, variable_length

MANUFACTURER: Final = 0x0F
MORE_FOLLOW: Final = 0x1F
FILLER: Final = 0x2F
READOUT_OF_ALL: Final = 0x7F  # in what a master writes
MAX_EXTENSIONS: Final = 10
FUNCTIONS: Final = ("", "max", "min", "error")
PLAIN_TEXT: Final = 0x7C

_EXTENSION, _CODE = 0x80, 0x7F


@dataclass(frozen=True, slots=True)
class Record:
    """One data record.

    Attributes:
        vif: the codes of VIF and VIFE, without their extension bits.
        data_field: the encoding of the data.
        data: the octets; of a variable length without LVAR.
        function: index into FUNCTIONS: present value, maximum, minimum, value during an error.
        storage, tariff, subunit: their numbers.
        text: the text of a plain text VIF.
        lvar: the LVAR, of data of variable length.
    """

    vif: tuple[int, ...]
    data_field: int
    data: bytes = b""
    function: int = 0
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    text: str | None = None
    lvar: int | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """The content of a variable data structure.

    Attributes:
        records: the records in order.
        more_follow: another telegram follows.
        manufacturer: the octets after DIF 0F or 1F; None if neither is there.
        fault: why the rest could not be read, or "".
    """

    records: tuple[Record, ...]
    more_follow: bool = False
    manufacturer: bytes | None = None
    fault: str = ""


class _BrokenRecord(Exception):
    """The octets end within a record, or break its rules."""


class _Reader:
    """Reads the octets of a telegram, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def octet(self) -> int:
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise _BrokenRecord("ends within a record")
        self.at += count
        return self.data[self.at - count : self.at]

    def extensions(self, octet: int) -> list[int]:
        """Return the extensions after an octet; its highest bit says whether there are any."""
        codes: list[int] = []
        while octet & _EXTENSION:
            if len(codes) == MAX_EXTENSIONS:
                raise _BrokenRecord(f"has a record with more than {MAX_EXTENSIONS} extensions")
            octet = self.octet()
            codes.append(octet & _CODE)
        return codes


def parse(data: bytes) -> Records:
    """Return the records of a telegram's variable data."""
    reader = _Reader(data)
    records: list[Record] = []
    while reader.at < len(data):
        dif = data[reader.at]
        if dif in (FILLER, READOUT_OF_ALL):
            reader.at += 1
        elif dif in (MANUFACTURER, MORE_FOLLOW):
            return Records(tuple(records), dif == MORE_FOLLOW, data[reader.at + 1 :])
        else:
            try:
                records.append(_record(reader))
            except _BrokenRecord as error:
                return Records(
                    tuple(records), fault=f"octet {reader.at} of {len(data)}: the telegram {error}"
                )
    return Records(tuple(records))


def _record(reader: _Reader) -> Record:
    dif = reader.octet()
    data_field = dif & 0x0F
    if data_field == SPECIAL:
        raise _BrokenRecord(f"has the reserved DIF {dif:02X}")
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    for number, dife in enumerate(reader.extensions(dif)):
        storage |= (dife & 0x0F) << 1 + 4 * number
        tariff |= (dife >> 4 & 0x03) << 2 * number
        subunit |= (dife >> 6 & 0x01) << number
    vif = reader.octet()
    text = None
    if vif & _CODE == PLAIN_TEXT:
        text = reader.take(reader.octet())[::-1].decode("latin-1")
    codes = (vif & _CODE, *reader.extensions(vif))
    lvar = reader.octet() if data_field == LVAR else None
    length = OCTETS[data_field] if lvar is None else variable_length(lvar)
    if length is None:
        raise _BrokenRecord(f"has the reserved LVAR {lvar:02X}")
    return Record(codes, data_field, reader.take(length), dif >> 4 & 3, storage, tariff, subunit, text, lvar)


def build(record: Record) -> bytes:
    """Return the octets of a record: the inverse of `parse`, for one."""
    storage, tariff, subunit = record.storage >> 1, record.tariff, record.subunit
    difes: list[int] = []
    while storage or tariff or subunit:
        difes.append(storage & 0x0F | (tariff & 0x03) << 4 | (subunit & 1) << 6)
        storage, tariff, subunit = storage >> 4, tariff >> 2, subunit >> 1
    dif = record.data_field | record.function << 4 | (record.storage & 1) << 6
    vif, *vifes = record.vif
    text = b"" if record.text is None else record.text.encode("latin-1")[::-1]
    return b"".join(
        (
            _with_extension_bits([dif, *difes]),
            _with_extension_bits([vif, *vifes])[:1],
            b"" if record.text is None else bytes((len(text),)) + text,
            _with_extension_bits([vif, *vifes])[1:],
            b"" if record.lvar is None else bytes((record.lvar,)),
            record.data,
        )
    )


def _with_extension_bits(octets: Sequence[int]) -> bytes:
    """Return the octets, all but the last with the bit that says that another follows."""
    return bytes([octet | _EXTENSION for octet in octets[:-1]] + [octets[-1]])
