"""Meters that a foreign master asks in mode A, B or C, listened to.

    /?address!   ──▶ identification ──▶ ACK 0 Z 0 ──▶ the readout      mode C
    /?address!   ──▶ identification ─────────────────▶ the readout      modes A and B

Neither an identification nor a readout tells the address, so a readout is that of the opening before it only
if each step was heard in its place; the two steps are pairs of their own. A readout behind a command of
programming mode (SOH) or behind an acknowledgement of another procedure is none.

The line is heard at one rate. Where the master goes to another one for the readout, as it mostly does in
modes B and C, there is nothing but noise: what can be listened to are lines on which all is said at one rate.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

from protocols.iec62056_21 import frame as frames
from protocols.iec62056_21.data import data_sets, readings
from protocols.iec62056_21.frame import BAUDRATES_C, STX
from protocols.iec62056_21.settings import MeterSettings
from protocols.toolkit.exchanges import Asked, ExchangeOverhearer
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.polling import Values
from protocols.toolkit.protocol import Fields

_IDENTIFICATION: Final = "identification"
_READOUT: Final = "readout"


class MeterOverhearer(ExchangeOverhearer):
    """Listens to a line for sensors with these settings."""

    def __init__(self, sensors: Sequence[MeterSettings]) -> None:
        super().__init__([dict.fromkeys(sensor.values, _place(sensor)) for sensor in sensors])
        self._sensors = sensors
        self._identified: Hashable | None = None  # the address of a meter that waits for an acknowledgement
        self._is_disturbed = False  # since the last request

    def disturbed(self) -> None:
        """Forget the identification: another opening may have broken."""
        self._identified = None
        self._is_disturbed = True

    def asked(self, frame: Frame, end_s: float) -> None:
        """Take a request whose last octet came at `end_s`."""
        address, identified = frames.opened(frame.data), self._identified
        self._identified, self._is_disturbed = None, False
        if address is not None:
            self._ask(address, _IDENTIFICATION, end_s)
        elif identified is not None and _asks_for_readout(frame.data):
            self._ask(identified, _READOUT, end_s)
        else:
            self.pairing.request(Asked(None, None, frame.data), end_s)

    def answered(self, frame: Frame, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take a reply; return the values of a readout."""
        identification = frames.identification(frame.data)
        if identification is None:
            return self._read(frame, start_s) if frame.data.startswith(STX) else ()
        self._identified = None
        question = self.pairing.reply(_IDENTIFICATION, start_s)
        if question is None or self._is_disturbed:
            return ()
        if frames.data_of(frame.data):  # mode A, its readout in the same message
            return self._values(question.unit, frame)
        if identification.baud_char in BAUDRATES_C:
            self._identified = question.unit
        else:
            self._ask(question.unit, _READOUT, end_s)
        return ()

    def _ask(self, address: Hashable, kind: str, end_s: float) -> None:
        self.pairing.request(Asked(address, kind, str(address).encode("ascii")), end_s)

    def _read(self, frame: Frame, start_s: float) -> Sequence[Overheard]:
        self._identified = None
        question = self.pairing.reply(_READOUT, start_s)
        return self._values(question.unit, frame) if question and not self._is_disturbed else ()

    def _values(self, address: Hashable, frame: Frame) -> list[Overheard]:
        """Return the values of a readout for the sensors of the meter that was opened by this address."""
        meter_readings = readings(list(data_sets(frames.data_of(frame.data))))
        overheard = []
        for index, sensor in enumerate(self._sensors):
            if sensor.address not in ("", address):
                continue
            values: Values = {}
            for name in sensor.values:
                reading = next((each for each in meter_readings if each.is_called(name)), None)
                if reading is not None:
                    values[name] = reading.value_as(name)
            overheard += self.bring(index, values)
        return overheard


def _asks_for_readout(message: bytes) -> bool:
    agreed = frames.acknowledged(message)
    return agreed is not None and agreed[0] == agreed[2] == "0"


def _place(sensor: MeterSettings) -> str:
    return f"meter {sensor.address}".strip()


def candidates(heard: Sequence[Fields]) -> list[dict[str, object]]:
    """Return the keys of the meters that were opened, each with all values of every readout."""
    addresses = dict.fromkeys(fields["device_address"] for fields in heard if "device_address" in fields)
    values = dict.fromkeys(name for fields in heard for name in fields.get("values", ()))
    if not values:
        return []
    return [{**({"address": each} if each else {}), "values": list(values)} for each in addresses]
