"""IEC 62056-21 §6: one meter, asked in mode A, B or C; its identification tells which.

    C   /?!            /ESY5…     ACK 0 5 0      STX … ETX BCC
        300 ──▶        300 ◀──    300 ──▶        9600 ◀──          it waits for the rate to be agreed to
    B   /?!            /LUGC…                    STX … ETX BCC
        300 ──▶        300 ◀──                   2400 ◀──          it changes the rate by itself
    A   /?!            /ABB… STX … ETX BCC
        300 ──▶        300 ◀──                                     it goes on at the same rate

Some meters, and some optical heads, cannot be read at the rate that the identification offers. If no readout
came at it, the next poll of mode C agrees to the rate of the opening, and so on in turn; a way that worked is
given a second chance before the other is tried.

A meter that missed the acknowledgement sends its data all the same, at the rate it began with. So the next
dialogue behind a readout that failed waits until nothing was heard for longer than a message may pause.

A readout brings all that the meter tells, so one serves every sensor with its address, whatever they keep. An
identification does not repeat the address: on a line of several meters it is the address in the opening that
keeps the others silent.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from protocols.iec62056_21 import frame as frames
from protocols.iec62056_21.data import data_sets, readings
from protocols.iec62056_21.frame import BAUDRATES_B, BAUDRATES_C, Identification
from protocols.iec62056_21.settings import MeterSettings
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Dialogue, LineSettings, NotAsked, PollResult, Request, Values

REACTION_S: Final = 0.2  # the least time before a message is answered, also by us
REST_S: Final = 1.5  # the longest pause between two characters of a message
BREAK_OFF_S: Final = 2.0  # quiet for so long, a dialogue that failed is over for the meter too
WAKE_UP_S: Final = 2.2  # zeros for so long …
WAKING_S: Final = 1.5  # … and the quiet behind them, of a meter with a battery

_LEAST_IDENTIFICATION = 7
_LONGEST_IN_MODE_A = 4096  # two minutes at 300 baud
_AROUND_READOUT = 6
_OF_A_VALUE = 20  # octets of a data set, about


class Meter:
    """The device of the sensors with these settings, all with one address."""

    def __init__(self, sensors: Sequence[MeterSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._line = line
        self._wakes_up = any(sensor.wake_up for sensor in sensors)
        self._count = len({name for sensor in sensors for name in sensor.values})
        self._named = f"meter {self.address}" if self.address else "meter"
        self._known = Identification("", "0", "")  # what the last poll was told
        self._stays = False  # at the rate of the opening, whatever is offered
        self._worked = False  # the last readout, in this way
        self._broke_off = False

    @property
    def address(self) -> str:
        """Return the address in the opening; "" if the meter needs none."""
        return self._sensors[0].address

    def planned(self) -> list[Request]:
        """Return the requests of the next poll, provided that each is answered at the last baud rate."""
        return [*self._wake_up(), self._opening(), *self._readout(self._known)]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        readout: bytes | None = None
        with suppress(NotAsked):
            readout = yield from self._read()
        return self._result(readout)

    def _read(self) -> Generator[Request, Frame | None, bytes | None]:
        """Return the readout of the meter; None if it does not answer to the end."""
        for request in self._wake_up():
            yield request
        answer = yield self._opening()
        if answer is None:
            return None
        identification = frames.identification(answer.data)
        assert identification is not None
        self._known = identification
        readout = answer.data  # in mode A the data stand behind the identification
        for request in self._readout(identification):
            reply = yield request
            self._learn(is_read=reply is not None)
            if reply is None:
                return None
            readout = reply.data
        return readout

    def _learn(self, *, is_read: bool) -> None:
        """Choose how to ask for the next readout."""
        if not is_read and not self._worked:
            self._stays = not self._stays
        self._worked, self._broke_off = is_read, not is_read

    def _result(self, readout: bytes | None) -> PollResult:
        meter_readings = [] if readout is None else readings(list(data_sets(frames.data_of(readout))))
        values: list[Values] = []
        for sensor in self._sensors:
            chosen_readings = (
                (name, next((r for r in meter_readings if r.is_called(name)), None)) for name in sensor.values
            )
            values.append({name: reading.value_as(name) for name, reading in chosen_readings if reading})
        return PollResult(tuple(values), complete=readout is not None)

    @property
    def _before_s(self) -> float:
        """Return the least quiet time before a dialogue, in seconds."""
        return BREAK_OFF_S if self._broke_off else REACTION_S

    def _wake_up(self) -> Sequence[Request]:
        if not self._wakes_up:
            return ()
        zeros = bytes(round(WAKE_UP_S / self._line.duration_s(1)))
        return [
            Request(
                data=zeros,
                framer=frames.IdentificationFramer,
                accepts=_is_identification,
                reply_length=0,
                summary=f"{self._named}: wake up",
                is_answered=False,
                pause_s=self._before_s,
            )
        ]

    def _opening(self) -> Request:
        return Request(
            data=frames.opening(self.address),
            framer=frames.IdentificationFramer,
            accepts=_is_identification,
            reply_length=_LEAST_IDENTIFICATION,
            longest_reply=_LONGEST_IN_MODE_A,
            summary=f"{self._named}: identification",
            pause_s=WAKING_S if self._wakes_up else self._before_s,
            rest_s=REST_S,
            shape="identification",
        )

    def _readout(self, identification: Identification) -> Sequence[Request]:
        """Return the requests for the readout of a meter with this identification; none in mode A."""
        baud_char = identification.baud_char
        if baud_char in BAUDRATES_C and self._stays:
            baud_char = next((c for c, rate in BAUDRATES_C.items() if rate == self._line.baudrate), "0")
        baudrate = (BAUDRATES_B | BAUDRATES_C).get(baud_char)
        if baudrate is None:
            return ()
        goes_on_by_itself = baud_char in BAUDRATES_B
        return [
            Request(
                data=b"" if goes_on_by_itself else frames.acknowledgement(baud_char),
                framer=frames.ReadoutFramer,
                accepts=_is_readout,
                reply_length=_AROUND_READOUT + _OF_A_VALUE * self._count,
                longest_reply=frames.MAX_LENGTH,
                summary=f"{self._named}: readout at {baudrate} baud",
                pause_s=0.0 if goes_on_by_itself else REACTION_S,
                rest_s=REST_S,
                reply_line=replace(self._line, baudrate=baudrate),
                shape=("readout", baud_char),  # it tells the same at any rate
            )
        ]


def _is_identification(frame: Frame) -> bool:
    return frames.identification(frame.data) is not None


def _is_readout(frame: Frame) -> bool:
    return frame.data.startswith(frames.STX)
