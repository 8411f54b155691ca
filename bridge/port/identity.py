"""The identity of an adapter: its serial number if no other has it, else its socket, else its device file.

A serial number is of use if no other adapter has it. Many have none (CH340, PL2303), or the one that the
chip came with, or that of the one chip which was copied a million times. It does not help that only one of
them is plugged in today: the next one bought has the same. So such a number is not used, and neither are
vendor and product, which all adapters of a make share:

    serial:AB0JPQ7X      usable; the adapter may be plugged in anywhere
    serial:AB0JPQ7X:1    ... interface 1 of one that has several ports
    path:ID_PATH         not usable: whatever is plugged into that USB socket is the bus
    /dev/ttyAMA0         no USB adapter: soldered on, it stays what it is
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bridge.errors import BridgeError
from bridge.port.adapter import Adapter

# Sources: [1] softsolder.com/2016/09/02/counterfeit-ftdi-usb-serial-adapter-roundup (all six bought had it)
# [2] starlino.com/ftdi-chip-real-of-fake-how-to-spot-a-fake-rt232r-rt232rl-and-others.html (and its comments)
# [3] in a dozen unrelated public programs as /dev/cu.usbserial-A5XK3RJT  [4] github.com/karlp/mixed-cygnals
# and, many on one machine, github.com/raspberrypi/linux/issues/372
# [5] github.com/probe-rs/probe-rs/pull/2016
SHARED: Final = {
    "A50285BI": "a counterfeit FT232R",  # [1] [2]
    "A5XK3RJT": "a much copied FT232R",  # [3]
    "A601CKQK": "a counterfeit FT232R",  # [2]
    "FTB6SPL3": "a counterfeit FT232R",  # [2]
    "0001": "a CP2102 as it leaves the factory",  # [4]
    "FactoryAIOT_Pro": "a Sipeed debugger",  # [5]
}
"""Serial numbers that many adapters have, as udev writes them, each with the kind of adapter."""

_COUNTING = ("0123456789ABCDEF", "1234567890ABCDEF", "01234567890123456789", "12345678901234567890")
_SHORTEST_COUNT = 4


class Kind(Enum):
    """The feature by which an adapter is recognised."""

    SERIAL = "serial"
    SOCKET = "socket"
    DEVICE = "device"


class NoIdentity(BridgeError):
    """A port that has no feature to tell it from another."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The entry that recognises an adapter.

    Attributes:
        adapter: what to write in site.toml: `adapter = "…"`.
        flaw: why its serial number is not used; "" where it is, or where it is no USB adapter.
    """

    adapter: str
    kind: Kind
    flaw: str = ""


def identify(adapter: Adapter, present: Collection[Adapter]) -> Identity:
    """Return the entry by which site.toml recognises an adapter.

    Args:
        present: every adapter of this machine, this one among them.

    Raises:
        NoIdentity: several of its ports hang on one USB interface, so neither number nor socket tells them
            apart.
    """
    if not adapter.usb:
        return Identity(str(adapter.device), Kind.DEVICE)
    twins = [twin.device.name for twin in present if twin.id_path == adapter.id_path]
    if len(twins) > 1 or not adapter.id_path:
        raise NoIdentity(
            f"{adapter.device}: neither a serial number nor the USB socket tells it from "
            f"{' and '.join(name for name in twins if name != adapter.device.name) or 'others'}: "
            "use an adapter with a USB interface for each port"
        )
    if why := flaw(adapter.serial) or _seen_twice(adapter.serial, present):
        return Identity(f"path:{adapter.id_path}", Kind.SOCKET, why)
    name = f"serial:{adapter.serial}"
    if sum(port.usb == adapter.usb for port in present) > 1:
        name += f":{adapter.interface:x}"
    return Identity(name, Kind.SERIAL)


def flaw(serial: str) -> str:
    """Return why a serial number, as udev writes it, is no identity; "" if the number itself has no flaw."""
    if not serial:
        return "it has no serial number"
    if whose := SHARED.get(serial):
        return f"many adapters have the serial number {serial} ({whose})"
    if _is_constant(serial):
        return f"its serial number {serial} is one that nobody gave it"
    if not re.fullmatch(r"[\w#+\-.=@]+", serial, re.ASCII):
        return f"its serial number {serial} has a character that neither site.toml nor a udev rule can hold"
    return ""


def refusal(adapter: str, present: Collection[Adapter]) -> str:
    """Return why the adapter of a bus in site.toml must not be used, and what to write instead; or "".

    Args:
        adapter: "serial:…", "path:…" or an absolute path.
        present: every adapter of this machine.
    """
    kind, _, rest = adapter.partition(":")
    serial, _, interface = rest.partition(":")
    if kind != "serial":
        return ""
    holders = [holder for holder in present if holder.serial == serial]
    if why := flaw(serial) or _seen_twice(serial, present):
        ways = [f'"path:{holder.id_path}" ({holder.device})' for holder in holders]
        better = " or ".join(ways) or '"path:…", as `serial-bridge enroll` writes it'
        return f'adapter "{adapter}" may be the wrong one, {why}: write {better}'
    if len(holders) > 1 and not interface:
        ways = [f'"{identify(holder, present).adapter}" ({holder.device})' for holder in holders]
        return f'adapter "{adapter}" has {len(holders)} ports: write {" or ".join(ways)}'
    return ""


def _is_constant(serial: str) -> bool:
    """Return whether a number is one character repeated, a count, or a first number.

    Examples: 00000000, 12345678, 000000000001.
    """
    bare = re.sub(r"[^0-9A-Z]", "", serial.upper())
    is_counting = len(bare) >= _SHORTEST_COUNT and any(row.startswith(bare) for row in _COUNTING)
    return len(set(bare)) < 2 or is_counting or re.fullmatch(r"0+[0-9]", bare) is not None


def _seen_twice(serial: str, present: Collection[Adapter]) -> str:
    """Return a sentence on the ports with this serial number, if several USB devices have it; or ""."""
    holders = {holder.usb: holder.device for holder in present if holder.serial == serial}
    if len(holders) < 2:
        return ""
    return f"{' and '.join(map(str, holders.values()))} have the same serial number {serial}"
