"""A protocol for tests: sensors that push, five octets with an id and a sum.

AA | id 1 | value 2 | check 1        high byte first; check = sum of what precedes; value FFFF: none yet
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from protocols.toolkit.errors import DecodeError
from protocols.toolkit.framing import Frame, NoiseReason
from protocols.toolkit.protocol import Fields, PushingProtocol
from protocols.toolkit.pushing import Identity, PushingKeys, Telegram
from protocols.toolkit.search import SearchFramer, Shape

LENGTH = 5
NONSENSE = 0xFFFE


def telegram(sender: int, value: int) -> bytes:
    data = b"\xaa" + bytes((sender,)) + value.to_bytes(2, "big")
    return data + bytes((sum(data) & 0xFF,))


def _flaw(data: bytes) -> NoiseReason | None:
    return None if sum(data[:-1]) & 0xFF == data[-1] else NoiseReason.CHECKSUM


SHAPE = Shape(
    head=re.compile(b"\xaa"),
    head_length=1,
    starts=b"\xaa",
    longest=LENGTH,
    extent=lambda buffer, at: LENGTH,
    flaw=_flaw,
)


class _Listener:
    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        value = int.from_bytes(frame.data[2:4], "big")
        if value == NONSENSE:
            raise DecodeError("is no value", field="value", value=value, data=frame.data)
        values = {} if value == 0xFFFF else {"x": value, "half": value / 2}
        return [Telegram(f"{frame.data[1]:02X}", dict(values))]


def _describe(frame: Frame) -> Fields:
    return {"id": frame.data[1], "value": int.from_bytes(frame.data[2:4], "big")}


KEYS = PushingKeys({"x": "", "half": ""}, Identity(re.compile("[0-9A-F]{2}"), "two digits", "0A", str.upper))

TALKER = PushingProtocol(
    name="talker",
    title="Talker",
    spec="tests",
    line=None,
    framer=lambda: SearchFramer(SHAPE),
    describer=lambda: _describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    listener=_Listener,
    longest=LENGTH,
)
