"""IEC 62056-21, mode D: the protocol `iec62056-21-d`. The meter pushes, 2400 7E1.

    /ESY5Q3DA1004 V3.04
                                            the blank line
    1-0:0.0.0*255(1336001560)               its number
    1-0:1.8.0*255(00032549.5061662*kWh)
    !

A telegram has no check: parity is all that guards it. Meters send at any rate ("9600 7E1" is common), once a
second or at the push of a button. The sensor's id is the number in the telegram, else its first line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from protocols.iec62056_21.data import data_sets, readings, values
from protocols.iec62056_21.description import describe
from protocols.iec62056_21.frame import MAX_LENGTH, StreamFramer, data_of, identification
from protocols.toolkit import obis
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PushingProtocol
from protocols.toolkit.pushing import Identity, PushingKeys, Telegram
from protocols.toolkit.scanning import Find, Scanning

_NUMBERS = ("0.0.0", "C.1.0", "96.1.255")  # where a meter tells its number, best first
_KEYS: Final = PushingKeys(
    units={
        name: unit
        for name, unit in obis.UNITS.items()
        if re.fullmatch(
            r"((im|ex)port_(energy|power)|active_power|voltage|current)(_l[123])?|frequency", name
        )
    },
    identity=Identity(
        form=re.compile(r"[ -~]{1,48}"),
        what="the number that the meter tells with 0.0.0 or C.1.0, else the first line of its telegram",
        example="1336001560",
    ),
    others=re.compile(rf"({'|'.join(obis.UNITS)})(_t[1-9][0-9]?)?|[0-9A-Z]+([.:*&-][0-9A-Z]+)+"),
    unit_of=obis.unit_of,
)


_P1_OBJECT: Final = re.compile(
    rb"\n(?:0-\d:96\.1\.[01]|1-3:0\.2\.8|0-0:96\.1[34]\.\d)\(|![0-9A-Fa-f]{1,4}\r\n$"
)
_LINES: Final = tuple(map(LineSettings.parse, ("2400 7E1", "9600 7E1", "9600 8N1")))


class TelegramListener:
    """Reads the frames of a mode D line."""

    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        """Return the telegram of a frame; none of other messages."""
        sender, sets = identification(frame.data), list(data_sets(data_of(frame.data)))
        if sender is None or not sets:
            return ()
        telegram_readings = readings(sets)
        numbers = [r for number in _NUMBERS for r in telegram_readings if r.is_called(number)]
        meter_id = str(numbers[0].value) if numbers else sender.encoded.decode("ascii").strip("/\r\n")
        return [
            Telegram(meter_id, values([reading for reading in telegram_readings if reading not in numbers]))
        ]


def is_p1(frame: Frame) -> bool:
    """Return whether a telegram is of a P1 port: by its check, or by objects that this standard alone has."""
    return bool(_P1_OBJECT.search(frame.data))


def _scanning() -> Scanning:
    from protocols.toolkit.senders import senders  # a service never searches

    def passive(frames: Sequence[Frame]) -> Sequence[Find]:
        """Leave the telegrams of P1 ports, which look alike, to DSMR."""
        return () if any(map(is_p1, frames)) else senders(PROTOCOL, frames)

    return Scanning(lines=_LINES, passive=passive)


PROTOCOL = PushingProtocol(
    name="iec62056-21-d",
    title="IEC 62056-21, mode D",
    spec="IEC 62056-21:2002 direct local data exchange; IEC 62056-61 OBIS codes",
    line=LineSettings(2400, 7, "E", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=_KEYS.schema,
    settings=_KEYS.parse,
    listener=TelegramListener,
    longest=MAX_LENGTH,
    scanning=_scanning,
)
