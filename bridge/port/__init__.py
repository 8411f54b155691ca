"""A bus's serial device: which one it is (adapter), how it is opened (serial_device), what its driver made of
our wishes (driver), and the bytes that come and go (port)."""

from __future__ import annotations

from bridge.port.port import CLOSE_TIMEOUT_S, OPEN_TIMEOUT_S, Port, State

__all__ = ["CLOSE_TIMEOUT_S", "OPEN_TIMEOUT_S", "Port", "State"]
