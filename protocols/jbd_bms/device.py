"""A JBD BMS, polled: which values are read, register by register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from protocols import Fields, dialogue
from protocols.dialogue import Dialogue, LineSettings, PollResult, Value
from protocols.errors import DeviceRefusal, Problem, SettingsError
from protocols.framing import Direction, Frame
from protocols.jbd_bms import frame as frames
from protocols.jbd_bms import registers
from protocols.jbd_bms.frame import AROUND, DONE, MAX_LENGTH, READ, REFUSED, Reply, Request, StreamFramer
from protocols.jbd_bms.registers import BASIC_INFORMATION, CELL_VOLTAGES, HARDWARE, UNITS

ADDRESS: Final = "bms"  # it has none: it stands alone on its line
_REGISTER_OF: Final = {"cell_voltages": CELL_VOLTAGES, "hardware": HARDWARE}  # all others are in 03
_USUAL: Final = tuple(name for name in UNITS if name not in ("hardware", "production_date"))
_MOST: Final = {"temperatures": 8, "cell_voltages": 32}

SENSOR_SCHEMA: Final[Mapping[str, Any]] = {
    "properties": {
        "values": {
            "type": "array",
            "items": {"enum": list(UNITS)},
            "minItems": 1,
            "uniqueItems": True,
            "description": "The values to read. Default: all but the production date and the hardware.",
        }
    },
    "required": [],
}


@dataclass(frozen=True, slots=True)
class BmsSettings:
    """A BMS: the values that are read from it."""

    values: tuple[str, ...]


class Bms:
    """The BMS on a line."""

    address = ADDRESS

    def __init__(self, sensors: Sequence[BmsSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._registers = sorted(
            {_REGISTER_OF.get(name, BASIC_INFORMATION) for sensor in sensors for name in sensor.values}
        )

    def planned(self) -> list[dialogue.Request]:
        """The requests of each poll."""
        return [_request(register) for register in self._registers]

    def poll(self) -> Dialogue:
        """Starts one poll; silence ends it, and what was read by then is its result."""
        told: Fields = {}
        refusals: list[DeviceRefusal] = []
        is_silent = False
        for register in self._registers:
            frame = yield _request(register)
            if frame is None:
                is_silent = True
                break
            reply = frames.parse(frame)
            if isinstance(reply, Reply) and reply.status == DONE:
                told |= registers.values(register, reply.data)
            else:
                refusals.append(DeviceRefusal("refused", code=REFUSED, request=f"register {register:02X}"))
        return PollResult(
            values=tuple(dict(_values(sensor.values, told)) for sensor in self._sensors),
            complete=not is_silent and not refusals,
            refusals=tuple(refusals),
        )


@dataclass(slots=True)
class SimulatedBms:
    """A BMS that answers: the other side of the line.

    Attributes:
        registers: what it has, as the octets of its reply.
    """

    registers: dict[int, bytes] = field(default_factory=dict)

    def answer(self, request: Frame) -> bytes | None:
        """The whole reply: refused if there is no such register; None to what is no request to read."""
        asked = frames.parse(request)
        if not isinstance(asked, Request) or asked.order != READ:
            return None
        data = self.registers.get(asked.register)
        return frames.build(Reply(asked.register, REFUSED if data is None else DONE, data or b""))


def parse_settings(table: Mapping[str, Any]) -> BmsSettings:
    """A sensor's own keys.

    Raises:
        SettingsError: with every mistake.
    """
    problems: list[Problem] = [((key,), "is no key here, use values") for key in table if key != "values"]
    values = table.get("values", list(_USUAL))
    if not isinstance(values, list) or not values:
        problems.append((("values",), 'is no list of values, write for example ["voltage", "current"]'))
        values = []
    for index, name in enumerate(values):
        if not isinstance(name, str) or name not in UNITS:
            close = get_close_matches(str(name).lower(), UNITS, 3) or UNITS
            problems.append((("values", index), f"{name!r} is no value, use {' or '.join(close)}"))
        elif name in values[:index]:
            problems.append((("values", index), f"{name!r} is there twice"))
    if problems:
        raise SettingsError(problems)
    return BmsSettings(tuple(values))


def address_of(settings: BmsSettings) -> str:
    """All sensors of a line are one BMS."""
    return ADDRESS


def units_of(settings: BmsSettings) -> dict[str, str]:
    """The unit of each value that these settings may bring, or ""."""
    units: dict[str, str] = {}
    for name in settings.values:
        if name in _MOST:
            units |= {_numbered(name, number): UNITS[name] for number in range(1, _MOST[name] + 1)}
        else:
            units[name] = UNITS[name]
    return units


def _request(register: int) -> dialogue.Request:
    def accepts(frame: Frame) -> bool:
        return frame.direction is Direction.REPLY and frame.data[1] == register

    return dialogue.Request(
        data=frames.build(Request(READ, register)),
        framer=StreamFramer,
        accepts=accepts,
        reply_length=AROUND,
        summary=f"bms: register {register:02X}",
        longest_reply=MAX_LENGTH,
    )


def _values(names: Sequence[str], told: Fields) -> Iterator[tuple[str, Value]]:
    """The values of these names; of lists one for each cell or thermometer."""
    for name in names:
        if name in _MOST:
            for number, value in enumerate(told.get(name, ()), start=1):
                yield _numbered(name, number), value
        elif name in told:
            yield name, told[name]


def _numbered(name: str, number: int) -> str:
    return f"{name.removesuffix('s')}_{number}"
