"""A meter that answers: the other side of the line, for tests and for practice.

It holds to the dialogue: nothing but an opening with its address wakes it, and data follow only an
acknowledgement with the rate it offered, or none where its mode has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from protocols.framing import Frame
from protocols.iec62056_21 import frame as frames
from protocols.iec62056_21.frame import BAUDRATES_B, BAUDRATES_C, Identification

Said = tuple[int, bytes]
"""A message, and the rate in baud it is sent with."""


@dataclass(slots=True)
class SimulatedMeter:
    """A meter with data to read.

    Attributes:
        identification: who it says it is; its baud character decides the mode.
        data: address → what stands in the brackets behind it, "00123.4*kWh".
        address: the one it listens to, beside openings without any.
    """

    identification: Identification
    data: dict[str, str] = field(default_factory=dict)
    address: str = ""
    _is_open: bool = False

    def answer(self, request: Frame) -> Iterator[Said]:
        """What it says to a message: nothing, or one message after the other."""
        was_open, self._is_open = self._is_open, False
        offered = self.identification.baud_char
        if frames.opened(request.data) in ("", self.address):
            yield INITIAL_BAUDRATE, self.identification.encoded
            if offered in BAUDRATES_C:
                self._is_open = True
            else:
                yield BAUDRATES_B.get(offered, INITIAL_BAUDRATE), self.readout
        elif was_open and frames.acknowledged(request.data) == ("0", offered, "0"):
            yield BAUDRATES_C[offered], self.readout

    @property
    def readout(self) -> bytes:
        """The message with its data."""
        return frames.block("".join(f"{address}({text})\r\n" for address, text in self.data.items()))


INITIAL_BAUDRATE = 300
