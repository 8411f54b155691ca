"""pyMeterBus beside the search: it selects with the same octets, and reads the same addresses in telegrams.

It brings no meter that answers. So meters answer here with telegrams that real ones sent, to short frames as
pyMeterBus reads them; the addresses that the search finds are those that pyMeterBus finds in the telegrams.
"""

from __future__ import annotations

import io
import logging
import random
from dataclasses import replace
from typing import Any

import pytest

from bridge.simulator.field.wire import Wire
from protocols.mbus import link, secondary
from protocols.mbus.link import ACKNOWLEDGEMENT
from protocols.mbus.scanning import search
from protocols.mbus.secondary import Secondary
from protocols.mbus.simulation import DIALECT
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Scope
from tests.protocols.vectors import good_frames
from tests.support.searching import searched

LINE = LineSettings(2400, 8, "E", 1)
FCB = 0x20  # which pyMeterBus sets in a selection, where nobody looks at it


@pytest.fixture(scope="module")
def meterbus() -> Any:
    """Return the library; its import sets up logging for a whole process, which is undone."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    import meterbus as library

    root.handlers[:] = before
    root.setLevel(level)
    return library


class RealMeter:
    """A meter that answers with a telegram that a real one sent."""

    def __init__(self, library: Any, telegram: bytes) -> None:
        self._library = library
        self._telegram = telegram
        self._is_selected = False
        self.address = secondary.parse(telegram[7:15])

    def answer(self, request: Frame) -> bytes | None:
        message = link.parse(request)
        if message is not None and message.ci is not None:
            self._is_selected = secondary.parse(message.data).covers(self.address)
            return ACKNOWLEDGEMENT if self._is_selected else None
        frame = self._library.load(request.data)
        (c,), (a,) = frame.header.cField.parts, frame.header.aField.parts
        if a == 254 or (a == 253 and self._is_selected):
            return ACKNOWLEDGEMENT if c == 0x40 else self._telegram if c & 0xCF == 0x4B else None
        return None


def telegrams(library: Any) -> dict[str, bytes]:
    """Captured telegrams by the secondary address that pyMeterBus reads in them."""
    found: dict[str, bytes] = {}
    for telegram in good_frames("mbus"):
        if telegram[:1] == b"\x68" and telegram[6:7] == b"\x72":
            try:
                found.setdefault(library.load(telegram).secondary_address, telegram)
            except (library.exceptions.MBusFrameDecodeError, AttributeError):  # one that it cannot read
                continue
    return found


def test_real_meters_are_found_with_the_addresses_that_pymeterbus_reads(meterbus: Any) -> None:
    by_address = telegrams(meterbus)
    assert len(by_address) > 10
    chosen = dict(random.Random(4).sample(sorted(by_address.items()), 8))
    meters = {place: RealMeter(meterbus, telegram) for place, telegram in enumerate(chosen.values())}
    dialect = replace(DIALECT, concerns=lambda request, place: True)
    wire = Wire(meters, LINE, dialect=dialect, turn_around_s=0.03)
    finds = searched(wire, search(Scope(LINE)), LINE).last_finds
    assert {find.address for find in finds} == {address[:8].lower() for address in chosen}
    assert {find.evidence for find in finds} == {Evidence.IDENTIFIED}


@pytest.mark.parametrize("pattern", ["ffffffff", "fffffff7", "ff855817", "06855817"])
def test_a_selection_has_the_octets_of_pymeterbus(meterbus: Any, pattern: str) -> None:
    port = io.BytesIO()
    meterbus.send_select_frame(port, f"{pattern.upper()}FFFFFFFF")
    message = link.parse(heard(port.getvalue()))
    assert message is not None
    assert message == link.Message(
        link.SND_UD | FCB, link.SELECTED, 0x52, secondary.build(Secondary(pattern))
    )


def heard(octets: bytes) -> Frame:
    (frame,) = link.StreamFramer().feed(octets)
    assert isinstance(frame, Frame)
    return frame
