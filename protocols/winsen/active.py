"""Winsen sensors that push: ZE03, ZE07, ZE08, ZE25 and relatives report their gas once a second; 9600 8N1.

A report carries a code for the gas, one for the unit, and the number of decimals; the value is named after
the gas and told in one unit, whichever it is sent in. A code that is not known here makes no sense.
"""

from __future__ import annotations

from typing import Final

from protocols.toolkit.errors import DecodeError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PushingProtocol
from protocols.toolkit.pushing import PushingKeys, Telegram
from protocols.winsen import frame as frames
from protocols.winsen.frame import GASES, LENGTH, StreamFramer

KEYS: Final = PushingKeys(dict(GASES.values()))


class ReportListener:
    """Reads the reports of the one sensor on a line."""

    def telegrams(self, frame: Frame) -> list[Telegram]:
        """Return the telegram of a report; none of a request or a reply.

        Raises:
            DecodeError: the gas or the unit is not known.
        """
        fields = frames.describe(frame)
        if "gas_type" not in fields:
            return []
        measured = frames.concentration(fields)
        if measured is None:
            raise DecodeError(
                "is not a known gas and unit",
                field="gas and unit",
                value=frame.data[1:3].hex(" "),
                data=frame.data,
            )
        gas, amount = measured
        return [Telegram("", {gas.name: amount})]


PROTOCOL = PushingProtocol(
    name="winsen-active",
    title="Winsen ZE03, ZE07, ZE08, ZE25",
    spec="Winsen ZE03, ZE07-CO, ZE08-CH2O and ZE25-O3 manuals, active upload",
    line=LineSettings(9600, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: frames.describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    listener=ReportListener,
    longest=LENGTH,
    bytesizes=frozenset({8}),
)
