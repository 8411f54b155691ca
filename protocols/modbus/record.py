"""The shared part of the two Modbus protocols: everything but the transmission mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from protocols.modbus.carrier import Carrier
from protocols.modbus.description import Describer
from protocols.modbus.device import ModbusDevice
from protocols.modbus.models import SHIPPED, Library
from protocols.modbus.models.evidence import GRADES
from protocols.modbus.settings import ModbusSettings, odd, parse_settings, sensor_schema
from protocols.toolkit.errors import Problem
from protocols.toolkit.framing import Framer
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import Models, PolledProtocol

if TYPE_CHECKING:
    from protocols.modbus.overhearing import ModbusOverhearer
    from protocols.modbus.sunspec_device import SunSpecDevice
    from protocols.toolkit.scanning import Scanning


def modbus_protocol(
    *,
    name: str,
    title: str,
    spec: str,
    framer: Callable[[], Framer],
    carrier: Carrier,
    bytesizes: frozenset[int],
    library: Library = SHIPPED,
) -> PolledProtocol[ModbusSettings]:
    """Return the protocol of a transmission mode.

    Args:
        name: its name in site.toml.
        title: what it is, in a few words.
        spec: the document it follows, with version.
        framer: makes a framer for both directions of the line.
        carrier: the transmission mode.
        bytesizes: the numbers of data bits that its characters may have.
        library: the models that its sensors can name in site.toml.
    """

    def describer(model: str | None = None) -> Describer:
        return Describer(library.model(model).registers if model else (), carrier)

    def evidence(model: str) -> str:
        if model not in library.names():
            return ""
        grade = library.model(model).evidence.grade
        return f"{grade}, {GRADES[grade]}"

    def settings(table: Mapping[str, object]) -> ModbusSettings:
        return parse_settings(table, library)

    def odd_keys(table: Mapping[str, object]) -> list[Problem]:
        return odd(table, library)

    def device(sensors: Sequence[ModbusSettings], line: LineSettings) -> ModbusDevice | SunSpecDevice:
        if any(sensor.sunspec for sensor in sensors):
            from protocols.modbus.sunspec_device import SunSpecDevice  # here, as below: few buses need it

            return SunSpecDevice(sensors, line, carrier)
        return ModbusDevice(sensors, line, carrier)

    def overhearer(sensors: Sequence[ModbusSettings]) -> ModbusOverhearer:
        from protocols.modbus.overhearing import ModbusOverhearer

        return ModbusOverhearer(sensors, carrier)

    def raw_of(settings: ModbusSettings, exchanges: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
        from protocols.modbus.raw import raw_registers

        return raw_registers(settings.registers, exchanges, carrier)

    def with_models(tables: Mapping[str, Mapping[str, Any]]) -> PolledProtocol[ModbusSettings]:
        return modbus_protocol(
            name=name,
            title=title,
            spec=spec,
            framer=framer,
            carrier=carrier,
            bytesizes=bytesizes,
            library=Library.of(tables),
        )

    def scanning() -> Scanning:
        from protocols.modbus.scanning import modbus_scanning  # a service never searches

        return modbus_scanning(name, carrier, library)

    return PolledProtocol(
        name=name,
        title=title,
        spec=spec,
        line=None,  # the sensor's own: its manual decides
        framer=framer,
        describer=describer,
        schema=sensor_schema(library),
        settings=settings,
        device=device,
        overhearer=overhearer,
        raw_of=raw_of,
        odd=odd_keys,
        bytesizes=bytesizes,
        scanning=scanning,
        models=Models(names=library.names, describer=describer, extended=with_models, evidence=evidence),
    )
