"""The settings of a sensor in site.toml.

model = "sps30"
address = 0                                    # the default, and all that an SPS30 can have
values = ["pm2_5", "pm10", "serial_number"]    # default: all it measures, and device_error
format = "integer"                             # SPS30: how it is started; default "float"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocols.shdlc.models import MODELS, Format, Model
from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.keys import parse_value_names, shown, unknown_keys

MAX_ADDRESS: Final = 254  # 255 is for all
DEVICE_ERROR: Final = "device_error"
SERIAL_NUMBER: Final = "serial_number"


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """The settings of a sensor: which it is, and which values are read from it.

    Attributes:
        device_address: the address on its line.
        model: the model of the sensor.
        form: the format in which its measurement is started.
        values: the names of the values to read, in the order of site.toml.
    """

    device_address: int
    model: Model
    form: Format
    values: tuple[str, ...]

    @property
    def address(self) -> str:
        """Return the address as text; sensors with the same one share a device."""
        return str(self.device_address)

    @property
    def units(self) -> dict[str, str]:
        """Return the unit of each value that these settings bring, or ""."""
        units = {quantity.name: quantity.unit for quantity in self.model.quantities}
        return {name: units.get(name, "") for name in self.values}

    @property
    def format(self) -> str:
        """Return the name of its format in site.toml."""
        return next(name for name, form in self.model.formats.items() if form is self.form)


_NAMES: Final = sorted({quantity.name for model in MODELS.values() for quantity in model.quantities})

SENSOR_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {
        "model": {"enum": list(MODELS), "description": "which sensor it is"},
        "address": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_ADDRESS,
            "default": 0,
            "description": "as delivered 0",
        },
        "values": {
            "type": "array",
            "items": {"enum": [*_NAMES, DEVICE_ERROR, SERIAL_NUMBER]},
            "minItems": 1,
            "uniqueItems": True,
            "description": f"the values to read; default: all that it measures, and {DEVICE_ERROR}",
        },
        "format": {
            "enum": ["float", "integer"],
            "description": "SPS30: in which form it is told to measure; default float",
        },
    },
    "required": ["model"],
}
_KEYS: Final = tuple(SENSOR_SCHEMA["properties"])


def parse_settings(table: Mapping[str, object]) -> SensorSettings:
    """Return the settings in a sensor's own keys.

    Raises:
        SettingsError: with every mistake.
    """
    problems = unknown_keys(table, _KEYS)
    model = _model(table.get("model"), problems)
    address = _address(table.get("address", 0), problems)
    form, values = next(iter(model.formats.values())), _all(model)
    if "model" in table:  # of no model, nothing can be said of these
        form = _form(table.get("format"), model, problems)
        known_names = (*_all(model), SERIAL_NUMBER)
        values = parse_value_names(table.get("values", list(values)), known_names, problems)
    if problems:
        raise SettingsError(problems)
    return SensorSettings(address, model, form, values)


def conflicts(sensors: Sequence[SensorSettings]) -> list[Problem]:
    """Return the problems of sensors with one address but different models or formats."""
    problems: list[Problem] = []
    first: dict[str, tuple[int, SensorSettings]] = {}
    for place, settings in enumerate(sensors):
        before, earlier = first.setdefault(settings.address, (place, settings))
        where = f"sensor[{before + 1}], which has address {settings.address} too"
        if settings.model is not earlier.model:
            message = (
                f"{settings.model.name} contradicts {earlier.model.name} of {where}: "
                "one device is one model, give each device an address or a bus of its own"
            )
            problems.append(((place, "model"), message))
        elif settings.form is not earlier.form:
            message = (
                f"{settings.format} contradicts {earlier.format} of {where}: one device is started in one "
                "format, write the same in both"
            )
            problems.append(((place, "format"), message))
    return problems


def _model(name: object, problems: list[Problem]) -> Model:
    if isinstance(name, str) and name in MODELS:
        return MODELS[name]
    names = " or ".join(f'"{model_name}"' for model_name in MODELS)
    problems.append(
        (
            ("model",),
            f"is missing: which sensor it is, {names}"
            if name is None
            else f"{shown(name)} is not a model, use {names}",
        )
    )
    return next(iter(MODELS.values()))


def _address(address: object, problems: list[Problem]) -> int:
    if isinstance(address, int) and not isinstance(address, bool) and 0 <= address <= MAX_ADDRESS:
        return address
    problems.append(
        (("address",), f"{shown(address)} is not an address, use 0–{MAX_ADDRESS}; as delivered it is 0")
    )
    return 0


def _form(name: object, model: Model, problems: list[Problem]) -> Format:
    if isinstance(name, str) and name in model.formats:
        return model.formats[name]
    if name is not None:
        form_names = " or ".join(f'"{form}"' for form in model.formats)
        problems.append((("format",), f"{shown(name)} is not a format of {model.name}, use {form_names}"))
    return next(iter(model.formats.values()))


def _all(model: Model) -> tuple[str, ...]:
    return (*(quantity.name for quantity in model.quantities), DEVICE_ERROR)
