"""Modbus: the application protocol (`pdu`), its carriers on a serial line (`rtu`), register maps (`registers`)."""
