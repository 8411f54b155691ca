"""The shared part of the two Modbus protocols: everything but the transmission mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TransmissionMode:
    """One of the two ways in which a Modbus line carries its PDUs, with the models its sensors can name.

    Attributes:
        name: of its protocol in site.toml.
        title: what it is, in a few words.
        spec: the document it follows, with version.
        framer: makes a framer for both directions of the line.
        carrier: what the other files need of it.
        bytesizes: the numbers of data bits that its characters may have.
        library: the models.
    """

    name: str
    title: str
    spec: str
    framer: Callable[[], Framer]
    carrier: Carrier
    bytesizes: frozenset[int]
    library: Library = SHIPPED

    def protocol(self) -> PolledProtocol[ModbusSettings]:
        """Return its protocol, for the catalogue."""
        return PolledProtocol(
            name=self.name,
            title=self.title,
            spec=self.spec,
            line=None,  # the sensor's own: its manual decides
            framer=self.framer,
            describer=self._describer,
            schema=sensor_schema(self.library),
            settings=self._settings,
            device=self._device,
            overhearer=self._overhearer,
            raw_of=self._raw_of,
            odd=self._odd,
            bytesizes=self.bytesizes,
            scanning=self._scanning,
            models=Models(
                names=self.library.names,
                describer=self._describer,
                extended=self._with_models,
                evidence=self._evidence,
            ),
        )

    def _settings(self, table: Mapping[str, object]) -> ModbusSettings:
        return parse_settings(table, self.library)

    def _odd(self, table: Mapping[str, object]) -> list[Problem]:
        return odd(table, self.library)

    def _device(self, sensors: Sequence[ModbusSettings], line: LineSettings) -> ModbusDevice | SunSpecDevice:
        if any(sensor.sunspec for sensor in sensors):
            from protocols.modbus.sunspec_device import SunSpecDevice  # here, as below: few buses need it

            return SunSpecDevice(sensors, line, self.carrier)
        return ModbusDevice(sensors, line, self.carrier)

    def _overhearer(self, sensors: Sequence[ModbusSettings]) -> ModbusOverhearer:
        from protocols.modbus.overhearing import ModbusOverhearer

        return ModbusOverhearer(sensors, self.carrier)

    def _raw_of(self, settings: ModbusSettings, exchanges: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
        from protocols.modbus.raw import raw_registers

        return raw_registers(settings.registers, exchanges, self.carrier)

    def _scanning(self) -> Scanning:
        from protocols.modbus.scanning import modbus_scanning  # a service never searches

        return modbus_scanning(self.name, self.carrier, self.library)

    def _describer(self, model: str | None = None) -> Describer:
        return Describer(self.library.model(model).registers if model else (), self.carrier)

    def _evidence(self, model: str) -> str:
        """Return the grade of a model's evidence, in words; "" for a name that is no model's."""
        if model not in self.library.names():
            return ""
        grade = self.library.model(model).evidence.grade
        return f"{grade}, {GRADES[grade]}"

    def _with_models(self, tables: Mapping[str, Mapping[str, Any]]) -> PolledProtocol[ModbusSettings]:
        return replace(self, library=Library.of(tables)).protocol()
