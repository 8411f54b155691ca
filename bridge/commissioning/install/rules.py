"""An adapter of site.toml in the words of a udev rule: what udev must have found out about a device.

serial:AB0JPQ7X:1    ENV{ID_SERIAL_SHORT} of a USB device, and ENV{ID_USB_INTERFACE_NUM}
path:ID_PATH         ENV{ID_PATH}
/dev/ttyAMA0         the kernel's name, or a link that an earlier rule made (/dev/serial0)
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from bridge.config import Bus

_MATCHED = re.compile(r"[0-9A-Za-z_#+\-.:=@/]+")
"""What udev leaves in a serial number or a path, and takes literally in a rule."""


def rules(bus: Bus) -> str:
    """The rules that say that a device is the port of this bus, a line each.

    Raises:
        ValueError: udev cannot know such a device; the message says what to write.
    """
    comment = f'# bus.{bus.name}: adapter = "{bus.adapter}"'
    found = f'ENV{{SERIAL_BRIDGE_BUS}}="{bus.name}", GOTO="serial_bridge_bus"'
    return "\n".join([comment, *(f"{match}, {found}" for match in _matches(bus.adapter))])


def _matches(adapter: str) -> list[str]:
    """What to find in a device, in one of these ways."""
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
    if not _MATCHED.fullmatch(text):
        raise ValueError(f'"{text}" has a character that udev never writes, see: serial-bridge enroll')
    return text
