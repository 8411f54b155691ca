"""The faults of a line and its devices, by name: the fault matrix and the soak draw from it.

A fault is data; `during` puts it in force for a while at some devices of a wire, and takes it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.field.device_faults import Part, Stall
from protocols.toolkit.simulation import Address

CODES: Final = (1, 2, 3, 4, 5, 6, 0x0A, 0x0B)  # exceptions, Application Protocol V1.1b3 §7


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, as data.

    Attributes:
        unit: attributes of `UnitFaults`, set at each device concerned.
        line: attributes of `LineFaults`.
        has_echo: the adapter hears itself.
        boots_s: the devices lose their power for a moment, then boot: seconds deaf, seconds refusing.
        is_unplugged: the adapter is pulled out.
    """

    unit: Mapping[str, Any] = field(default_factory=dict)
    line: Mapping[str, Any] = field(default_factory=dict)
    has_echo: bool = False
    boots_s: tuple[float, float] | None = None
    is_unplugged: bool = False


FAULTS: Final[Mapping[str, Fault]] = {
    "device stalls": Fault({"stall": Stall(0.1, 0.2, 8.0, 2)}),
    "device stalls, four queued": Fault({"stall": Stall(0.1, 0.2, 8.0, 4)}),
    "converter stalls": Fault(line={"converter": Stall(0.05, 0.2, 8.0, 1)}),
    "converter stalls, four queued": Fault(line={"converter": Stall(0.05, 0.2, 8.0, 4)}),
    "slow, 150 ms": Fault({"stall": Stall(1.0, 0.15, 0.15)}),
    "slow, 700 ms": Fault({"stall": Stall(1.0, 0.7, 0.7)}),
    "slow, 2 s": Fault({"stall": Stall(1.0, 2.0, 2.0)}),
    "late replies": Fault({"late": 0.3, "late_s": 0.6}),
    "asleep": Fault({"wakes_after": 2, "sleeps_after_s": 0.3}),
    "boots": Fault(boots_s=(2.0, 2.0)),
    "silent": Fault({"silent": 1.0}),
    "1 % refused": Fault({"refuse": 0.01, "refuse_codes": CODES}),
    "5 % refused": Fault({"refuse": 0.05, "refuse_codes": CODES}),
    "busy": Fault({"refuse_with": 6}),
    "silent on long reads": Fault({"silent_on": Part(above=2)}),
    "silent on a hole": Fault({"silent_on": Part(addresses=range(4, 8))}),
    "silent on a function": Fault({"silent_on": Part(functions=frozenset({3}))}),
    "two on one address": Fault({"twin_s": 0.0002}),
    "damaged replies": Fault({"bad_crc": 0.2, "truncate": 0.1}),
    "noise": Fault({"noise_before": 0.2, "noise_after": 0.2}, {"noise": 0.3}),
    "split replies": Fault({"split": 0.5, "split_s": 0.1}),
    "echo": Fault(has_echo=True),
    "unplugged": Fault(is_unplugged=True),
}


@contextmanager
def during(fault: Fault, bus: SimulatedBus, addresses: Iterable[Address]) -> Iterator[None]:
    """Put a fault in force at the devices with these addresses of a bus while the block runs."""
    unit_records = [(bus.faults[address], fault.unit) for address in addresses]
    records: list[tuple[Any, Mapping[str, Any]]] = [*unit_records, (bus.line_faults, fault.line)]
    previous_values = [{name: getattr(record, name) for name in changes} for record, changes in records]
    for record, changes in records:
        _set(record, changes)
    bus.echo = fault.has_echo
    if fault.boots_s is not None:
        deaf_s, refusing_s = fault.boots_s
        for address in addresses:
            bus.cut_power(address, off_s=0.1, deaf_s=deaf_s, refusing_s=refusing_s)
    if fault.is_unplugged:
        bus.unplug()
    try:
        yield
    finally:
        if fault.is_unplugged:
            bus.replug()
        bus.echo = False
        for (record, _), values in zip(records, previous_values, strict=True):
            _set(record, values)


def _set(record: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(record, name, value)
