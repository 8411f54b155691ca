"""A bus's serial device: finding it (adapter), opening it (serial_device), checking how its driver runs it
(driver), and moving its bytes (port)."""

from __future__ import annotations

from bridge.port.port import CLOSE_TIMEOUT_S, OPEN_TIMEOUT_S, Port, State

__all__ = ["CLOSE_TIMEOUT_S", "OPEN_TIMEOUT_S", "Port", "State"]
