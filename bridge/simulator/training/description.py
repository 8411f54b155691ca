"""A bus that nobody knows, as data: what hangs on it, with which settings, and what is wrong with it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from protocols.toolkit.polling import LineSettings

Clock = Callable[[], float]
"""Returns the time in seconds."""


@dataclass(frozen=True, slots=True)
class RandomDevice:
    """One device of a random bus.

    Attributes:
        protocol: its protocol, by its name in site.toml.
        address: its address, as site.toml writes it; "" if it has none.
        line: its line settings.
        seed: what its content and its times follow from.
        model: its model; "" if its protocol has none.
        serial: the serial number by which it can be called too; "" if there is none.
        fault: what is wrong with it, by its name in `faults`; "" if nothing is.
    """

    protocol: str
    address: str
    line: LineSettings
    seed: str
    model: str = ""
    serial: str = ""
    fault: str = ""

    @property
    def chance(self) -> random.Random:
        """Return a generator from which everything about the device is drawn, the same each time."""
        return random.Random(self.seed)  # noqa: S311 - a device that can be repeated, no secret

    @property
    def title(self) -> str:
        """Return protocol, model, address and serial number, for people."""
        parts = [self.protocol, self.model, f"at {self.address}" if self.address else "", self.serial]
        return " ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class RandomBus:
    """A bus with devices on it.

    Attributes:
        seed: the number that it was drawn from.
        line: the line settings that its devices were meant to have.
        devices: the devices; two may have one address.
        fault: what is wrong with the wires, by its name in `faults`; "" if nothing is.
        has_foreign_master: another master asks the devices.
    """

    seed: int
    line: LineSettings
    devices: tuple[RandomDevice, ...]
    fault: str = ""
    has_foreign_master: bool = False

    @property
    def is_healthy(self) -> bool:
        """Return whether nothing is wrong with it, and nobody else asks."""
        is_faulty = self.fault or any(device.fault for device in self.devices)
        return not is_faulty and not self.has_foreign_master

    def document(self) -> Mapping[str, Any]:
        """Return what is true of the bus, for JSON."""
        return {
            "seed": self.seed,
            "line": str(self.line),
            "fault": self.fault,
            "foreign_master": self.has_foreign_master,
            "devices": [
                {
                    "protocol": device.protocol,
                    "model": device.model,
                    "address": device.address,
                    "serial": device.serial,
                    "line": str(device.line),
                    "fault": device.fault,
                }
                for device in self.devices
            ],
        }

    def sentences(self) -> list[str]:
        """Return what is true of the bus, a line for each thing."""
        faults = [self.fault] if self.fault else []
        faults += ["another master asks the devices"] if self.has_foreign_master else []
        lines = [f"{self.line}" + "".join(f"; {fault}" for fault in faults)]
        return lines + [
            f"{device.title}, {device.line}" + (f"; {device.fault}" if device.fault else "")
            for device in self.devices
        ]
