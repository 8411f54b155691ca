"""An adapter of site.toml as a udev rule: the properties that udev must have found for a device.

serial:AB0JPQ7X:1    ENV{ID_SERIAL_SHORT} of a USB device, and ENV{ID_USB_INTERFACE_NUM}
path:ID_PATH         ENV{ID_PATH}
/dev/ttyAMA0         the kernel's name, or a link that an earlier rule made (/dev/serial0)
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from bridge.config import Bus

_LITERAL = re.compile(r"[0-9A-Za-z_#+\-.:=@/]+")
"""The characters that udev leaves in a serial number or a path, and takes literally in a rule."""


def rules(bus: Bus) -> str:
    """Return the rules that mark a device as the port of this bus, a line each.

    Raises:
        ValueError: udev cannot know such a device; the message says what to write.
    """
    comment = f'# bus.{bus.name}: adapter = "{bus.adapter}"'
    action = f'ENV{{SERIAL_BRIDGE_BUS}}="{bus.name}", GOTO="serial_bridge_bus"'
    return "\n".join([comment, *(f"{match}, {action}" for match in _matches(bus.adapter))])


def _matches(adapter: str) -> list[str]:
    """Return the conditions for a device, any one of which is enough."""
    kind, _, name = adapter.partition(":")
    if kind == "path":
        return [f'ENV{{ID_PATH}}=="{_literal(name)}"']
    if kind == "serial":
        serial, _, interface = name.partition(":")
        match = f'ENV{{ID_BUS}}=="usb", ENV{{ID_SERIAL_SHORT}}=="{_literal(serial)}"'
        if interface:
            match += f', ENV{{ID_USB_INTERFACE_NUM}}=="{int(interface, 16):02x}"'
        return [match]
    device = PurePosixPath(adapter)
    if not device.is_relative_to("/dev") or ".." in device.parts:
        raise ValueError(f'"{adapter}" is not in /dev, so udev does not know it: name a device there')
    name = _literal(str(device.relative_to("/dev")))
    return [f'KERNEL=="{name}"', f'SYMLINK=="{name}"']


def _literal(text: str) -> str:
    if not _LITERAL.fullmatch(text):
        raise ValueError(f'"{text}" has a character that udev never writes, see: serial-bridge enroll')
    return text
