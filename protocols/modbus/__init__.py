"""Modbus: the application protocol (`pdu`), its carrier on a serial line (`rtu`), the register maps."""
