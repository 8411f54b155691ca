"""The serial device of a bus.

adapter        finds the device file of an adapter
serial_device  opens it and sets it up
driver         checks how the driver runs it
port           moves its bytes
identity       which entry in site.toml recognises an adapter
holders        which processes have a device open
"""

from __future__ import annotations

from bridge.port.port import CLOSE_TIMEOUT_S, OPEN_TIMEOUT_S, Port, State

__all__ = ["CLOSE_TIMEOUT_S", "OPEN_TIMEOUT_S", "Port", "State"]
