"""Captures as pcapng files with link type RTAC serial, which Wireshark takes apart as Modbus and others.

Each packet begins with twelve octets (www.tcpdump.org/linktypes/LINKTYPE_RTAC_SERIAL.html):

    seconds 4 | microseconds 4 | event 1 | control lines 1 | reserved 2        big endian; then the octets

The events written are the start of data received and sent; of a file from elsewhere their ends count too,
which some programs write instead. Other link types with octets of serial lines carry nothing before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from construct import Byte, Const, GreedyBytes, Int32ub, Struct
from pcapng import FileScanner, FileWriter, blocks
from pcapng.exceptions import PcapngException

from bridge.captures.record import Direction, NotACapture, Record
from bridge.release import VERSION

RTAC_SERIAL: Final = 250
_US: Final = 1_000_000
_SENT: Final = (0x01, 0x03)  # DATA_TX_START, DATA_TX_END
_RECEIVED: Final = (0x02, 0x04)  # DATA_RX_START, DATA_RX_END

LAYOUT: Final = "packet" / Struct(
    "seconds" / Int32ub,
    "microseconds" / Int32ub,
    "event" / Byte,
    "control_lines" / Byte,
    "reserved" / Const(bytes(2)),
    "data" / GreedyBytes,
)


class PcapngFile:
    """A capture as a pcapng file, being written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        section = blocks.SectionHeader(options={"shb_userappl": f"serial-bridge {VERSION}"})
        section.new_member(blocks.InterfaceDescription, link_type=RTAC_SERIAL)
        self._section = section
        try:
            self._writer = FileWriter(self._file, section)
            self._file.flush()
        except OSError as error:  # what is left could not be read, and would be in the way of the next one
            with suppress(OSError):
                self._file.close()
            path.unlink(missing_ok=True)
            error.filename = str(path)
            raise

    def write(self, record: Record) -> None:
        """Append a record; it is in the file when this returns."""
        seconds, microseconds = divmod(record.at_us, _US)
        packet = self._section.new_member(blocks.EnhancedPacket)
        packet.timestamp_high, packet.timestamp_low = divmod(record.at_us, 1 << 32)
        packet.packet_data = LAYOUT.build(
            {
                "seconds": seconds,
                "microseconds": microseconds,
                "event": _SENT[0] if record.direction is Direction.SENT else _RECEIVED[0],
                "control_lines": 0,
                "data": record.data,
            }
        )
        self._writer.write_block(packet)
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()


def read(path: Path) -> Iterator[Record]:
    """Yield the records of a file; packets of other link types are left out.

    Raises:
        NotACapture: the file breaks off, or is not pcapng.
    """
    number = 0
    with path.open("rb") as file:
        try:
            for block in FileScanner(file):
                if not isinstance(block, blocks.EnhancedPacket):
                    continue
                number += 1
                if block.interface.link_type != RTAC_SERIAL:
                    continue
                packet = block.packet_data
                if len(packet) <= _HEADER or packet[8] not in (*_SENT, *_RECEIVED):
                    continue
                direction = Direction.SENT if packet[8] in _SENT else Direction.RECEIVED
                ticks = (block.timestamp_high << 32) + block.timestamp_low
                at_us = round(ticks * block.timestamp_resolution * _US)
                yield Record(at_us, packet[_HEADER:], direction)
        except PcapngException as error:
            raise NotACapture(
                f"{path}: this is no whole pcapng file, it breaks off after packet {number}"
            ) from error


_HEADER: Final = 12
