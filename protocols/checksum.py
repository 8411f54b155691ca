"""Checksums, by the names the specifications give them."""

from __future__ import annotations

from typing import Final

from fastcrc import crc16

# Modbus over Serial Line V1.02 §2.5.1.2. Low byte first on the wire, so that over a whole frame it is 0.
crc16_modbus: Final = crc16.modbus

# CRC-16/X-25, the frame check of HDLC. Low byte first on the wire.
crc16_x25: Final = crc16.ibm_sdlc
