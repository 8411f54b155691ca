"""A meter that answers: the other side of the line, for tests and for practice.

It holds to the dialogue: nothing but an opening with its address wakes it, and data follow only an
acknowledgement with the rate it offered or a slower one, or none where its mode has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from protocols.iec62056_21 import frame as frames
from protocols.iec62056_21.frame import BAUDRATES_B, BAUDRATES_C, Identification
from protocols.toolkit.framing import Frame

Said = tuple[int, bytes]
"""A message, and the rate in baud it is sent with."""


@dataclass(slots=True)
class SimulatedMeter:
    """A simulated meter.

    Attributes:
        identification: its identification; the baud character decides the mode.
        data: address → what stands in the brackets behind it, "00123.4*kWh".
        address: the address it answers, besides openings without one.
        fastest: baud; faster messages get lost, for its optical head is too slow.
    """

    identification: Identification
    data: dict[str, str] = field(default_factory=dict)
    address: str = ""
    fastest: int = 19200
    _is_open: bool = False

    def answer(self, request: Frame) -> Iterator[Said]:
        """Yield the messages that answer a request, each with its baud rate."""
        was_open, self._is_open = self._is_open, False
        offered = self.identification.baud_char
        if frames.opened(request.data) in ("", self.address):
            yield INITIAL_BAUDRATE, self.identification.encoded
            if offered in BAUDRATES_C:
                self._is_open = True
            else:
                yield from self._said(BAUDRATES_B.get(offered, INITIAL_BAUDRATE))
        elif was_open and (agreed := frames.acknowledged(request.data)):
            procedure, baud_char, mode = agreed
            if procedure == mode == "0" and baud_char in BAUDRATES_C and baud_char <= offered:
                yield from self._said(BAUDRATES_C[baud_char])

    def _said(self, baudrate: int) -> Iterator[Said]:
        if baudrate <= self.fastest:
            yield baudrate, self.readout

    @property
    def readout(self) -> bytes:
        """Return the message with the data."""
        return frames.block("".join(f"{address}({text})\r\n" for address, text in self.data.items()))


INITIAL_BAUDRATE = 300
