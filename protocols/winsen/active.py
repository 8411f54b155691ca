"""Winsen ZE08-CH2O: formaldehyde, told unasked once a second; 9600 8N1.

Other sensors of the family report other gases and units the same way; a report that is not of formaldehyde
in ppb makes no sense here, and is not taken for one.
"""

from __future__ import annotations

from typing import Final

from protocols import Protocol, without_models
from protocols.dialogue import LineSettings
from protocols.errors import DecodeError
from protocols.framing import Frame
from protocols.listening import ListeningKeys, Telegram, address_of
from protocols.winsen import frame as frames
from protocols.winsen.frame import FORMALDEHYDE, LENGTH, StreamFramer

_PPB: Final = 4

KEYS: Final = ListeningKeys({"formaldehyde": "ppb"})


class ReportListener:
    """Hears the reports of the one sensor on a line."""

    def hear(self, frame: Frame) -> list[Telegram]:
        """What a report says; nothing if the frame is a request or a reply.

        Raises:
            DecodeError: another gas, or another unit.
        """
        fields = frames.describe(frame)
        if "gas_type" not in fields:
            return []
        if (fields["gas_type"], fields["unit_code"]) != (FORMALDEHYDE, _PPB):
            raise DecodeError(
                "is not formaldehyde (17) in ppb (04)",
                field="gas and unit",
                value=frame.data[1:3].hex(" "),
                data=frame.data,
            )
        raw, decimals = fields["concentration_raw"], fields["decimals"]
        return [Telegram("", {"formaldehyde": raw / 10**decimals if decimals else raw})]


PROTOCOL = Protocol(
    name="winsen-active",
    title="Winsen ZE08-CH2O",
    spec="Winsen ZE08-CH2O manual, active upload",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=without_models(lambda: frames.describe),
    schema=KEYS.schema,
    settings=KEYS.parse,
    device=None,
    listener=ReportListener,
    address_of=address_of,
    units_of=KEYS.units_of,
    longest=LENGTH,
    bytesizes=frozenset({8}),
)
