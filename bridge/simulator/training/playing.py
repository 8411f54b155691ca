"""A random bus on a wire: its devices, what is wrong with it, and the other master that may be at work.

The wire is a model, played on an event loop whose clock jumps or on a pseudo terminal in real time.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.field.reception import Speech
from bridge.simulator.field.wire import Wire
from bridge.simulator.training import drawing
from bridge.simulator.training.catalogue import KINDS_BY_PROTOCOL, Asked, Pushing
from bridge.simulator.training.description import Clock, RandomBus, RandomDevice
from protocols.toolkit.framing import Frame
from protocols.toolkit.simulation import Address, Dialect

_LATE_S: Final = (0.3, 0.9)
_MASTER_PAUSE_S: Final = 0.4
_NO_SHARE, _MUCH = 0.0, 0.2


def wire_of(bus: RandomBus, clock: Clock) -> Wire:
    """Return the wire of a bus, whose caller moves the clock."""
    wire = Wire({}, bus.line, seed=bus.seed)
    equip(wire, bus, clock)
    return wire


def equip(wire: Wire, bus: RandomBus, clock: Clock) -> None:
    """Put the devices of a bus on a wire, with all that is wrong; what sends by itself begins now."""
    now = clock()
    chance = replace(bus.devices[0], seed=f"{bus.seed}/wire").chance
    speeches = _Speeches(bus)
    for key, device in speeches.devices.items():
        kind = KINDS_BY_PROTOCOL[device.protocol]
        if isinstance(kind, Pushing):
            wire.play(kind.script(device), now + chance.random(), device.line)
            continue
        shortest_s, longest_s = kind.turn_around_s
        delay_s = chance.uniform(*_LATE_S) if device.fault == drawing.SLOW else 0.0
        delay_s += chance.uniform(0, longest_s - shortest_s)
        wire.units[key] = kind.unit(device, clock)
        wire.speech[key] = speeches.of(device)
        wire.turn_around_s = shortest_s
        wire.is_full_duplex = kind.is_full_duplex
        faults = wire.faults[key]
        faults.late, faults.late_s = 1.0, delay_s
        faults.silent = float(device.fault == drawing.SWAPPED_PAIR)
        faults.bad_crc = _MUCH if device.fault == drawing.DAMAGED_REPLIES else _NO_SHARE
        if bus.fault == drawing.NO_TERMINATION:
            faults.bad_crc, faults.noise_after = 0.05, _MUCH
    wire.line_faults.noise = _MUCH if bus.fault == drawing.NOISE else _NO_SHARE
    wire.echo = bus.fault == drawing.ECHO
    if bus.has_foreign_master:
        wire.play(_asking(bus), now + 0.1, bus.line, is_master=True)


def play_until_stopped(bus: RandomBus, link: Path, announce: Callable[[], None]) -> None:
    """Play a bus on a pseudo terminal until SIGTERM or SIGINT.

    A pseudo terminal has a speed, and no parity: only a wrong speed is heard as such.

    Args:
        bus: the bus.
        link: the link to the device to open.
        announce: called when the device is there.
    """
    stop_signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)  # before the thread, which inherits it
    link.parent.mkdir(parents=True, exist_ok=True)
    player = SimulatedBus({}, bus.line, link=link, seed=bus.seed, heeds_speed=True)
    equip(player, bus, time.monotonic)
    with player:
        announce()
        signal.sigwait(stop_signals)


class _Speeches:
    """How the devices of a bus speak.

    Two devices may have one address, so on the wire each has a key of its own.

    Attributes:
        devices: the devices by their keys.
    """

    def __init__(self, bus: RandomBus) -> None:
        self.devices: Mapping[Address, RandomDevice] = {
            f"device {number}": device for number, device in enumerate(bus.devices, start=1)
        }
        protocols = {device.protocol for device in bus.devices}
        self._dialects = {
            protocol: self._keyed(kind)
            for protocol in protocols
            if isinstance(kind := KINDS_BY_PROTOCOL[protocol], Asked)
        }

    def of(self, device: RandomDevice) -> Speech:
        """Return how a device speaks."""
        return Speech(self._dialects[device.protocol], device.line)

    def _keyed(self, kind: Asked) -> Dialect:
        """Return the dialect of a kind, for the keys of the devices."""

        def concerns(request: Frame, key: Address) -> bool:
            return kind.dialect.concerns(request, kind.native(self.devices[key].address))

        return replace(kind.dialect, concerns=concerns)


def _asking(bus: RandomBus) -> Iterator[tuple[float, bytes]]:
    """Yield what another master sends: the requests that read each device, in turn."""
    requests: list[bytes] = []
    for device in bus.devices:
        kind = KINDS_BY_PROTOCOL[device.protocol]
        assert isinstance(kind, Asked)
        sensor = kind.record.settings(kind.keys(device))
        asked_device = kind.record.device([sensor], device.line)
        requests += [request.data for request in asked_device.planned()]
    while True:
        for data in requests:
            yield _MASTER_PAUSE_S, data
