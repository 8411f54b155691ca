"""How a polled sensor is asked.

A poll is a generator: it yields requests, is sent what came back, and returns the values.

    poll = device.poll(now)                 `now`: seconds of a monotonic clock, for what is tried by time
    request = next(poll)                    the bridge sends `request.data`, waits for an accepted frame
    request = poll.send(frame | None)       None: no answer, after the retries the bridge's policy allows
    StopIteration.value                     the PollResult

Protocols of many steps (selection before reading, several telegrams, wake-up requests, another baud rate from
the second request on) are longer generators; the bridge does not know the difference. Nothing here waits,
reads a clock or opens anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.framing import Frame, Framer

_UART_BUFFER = 16  # octets

NOT_A_NUMBER = "not a number"
"""Begins the reason for a missing value whose octets make no float: another reading of them may."""

Value = int | float | str | bool
Values = dict[str, Value]


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Speed and character format of a serial line, as the sensor's manual states them."""

    baudrate: int
    bytesize: int = 8
    parity: str = "N"
    stopbits: int = 1

    @classmethod
    def parse(cls, text: str) -> LineSettings:
        """Return the settings in a text such as "9600 8N1".

        Raises:
            ValueError: not of that form, or outside 50–4,000,000 baud, 7–8 data bits, N/E/O, 1–2 stop bits.
        """
        match = re.fullmatch(r"\s*(\d{1,7})\s+([78])([NEOneo])([12])\s*", text)
        if match is None or not 50 <= int(match[1]) <= 4_000_000:
            raise ValueError(
                f'"{text}" is not a line setting, write baud rate, data bits, parity, stop bits: "9600 8N1"'
            )
        return cls(int(match[1]), int(match[2]), match[3].upper(), int(match[4]))

    @property
    def character_bits(self) -> int:
        """Return the bits of one character on the wire: start, data, parity, stop."""
        return 1 + self.bytesize + (self.parity != "N") + self.stopbits

    def duration_s(self, octets: float) -> float:
        """Return the time that `octets` characters take on the wire, in seconds."""
        return octets * self.character_bits / self.baudrate

    @property
    def gathering_s(self) -> float:
        """Return the silence that a UART makes inside a message, in seconds, as it gathers octets."""
        return self.duration_s(_UART_BUFFER)

    @property
    def frame_gap_s(self) -> float:
        """Return the least silence between frames, in seconds: Modbus's t3.5, which hurts no other protocol.

        3.5 characters of 11 bits; above 19200 baud the fixed 1.75 ms that Modbus over Serial Line V1.02
        §2.5.1.1 recommends there.
        """
        return 0.00175 if self.baudrate > 19200 else 3.5 * 11 / self.baudrate

    def __str__(self) -> str:
        return f"{self.baudrate} {self.bytesize}{self.parity}{self.stopbits}"


class NotAsked(Exception):
    """Thrown into a dialogue: its request was not sent, so that its silence says nothing; others may be.

    The reply could have been taken for one that is still owed, or the port was lost.
    """


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a poll, with what the line must know to take the right reply.

    Attributes:
        data: the bytes to send.
        framer: makes a fresh framer that cuts the reply to this request by length and checksum.
        accepts: whether a frame answers this request (a refusal by the device answers it too).
        reply_length: octets of the expected reply (the fewest, where that varies), to reckon its time.
        summary: what is asked, for logs and `check --plan`: "unit 1: input registers 0–9".
        is_answered: False: no reply is waited for, the dialogue goes on with None once it is out on the wire.
        pause_s: least quiet time before it, where the protocol asks for more than every line keeps.
        longest_reply: octets of the longest reply, where that varies.
        rest_s: how long a device may fall silent inside a reply, where its specification allows that.
        line: how it is sent, where that is not the setting of the bus.
        reply_line: how its reply comes, where that is not how it was sent.
        is_repeated: False: it is asked once, whatever retries the site allows; its silence would be no news.
        is_put_off: whether an accepted frame only says "not now": the request is repeated like one that was
            left unanswered.
        shape: what tells its reply apart; requests to one address with the same shape have replies that
            nothing tells apart. None: not known. A dialogue that tells it is ready for `NotAsked`.
        clears: its reply says that nothing asked of this address before will be answered any more, as the
            device answers in turn.
        is_own: whether a frame that is no reply, or is cut, comes from the unit that was asked; None: not
            known.
    """

    data: bytes
    framer: Callable[[], Framer]
    accepts: Callable[[Frame], bool]
    reply_length: int
    summary: str
    is_answered: bool = True
    pause_s: float = 0.0
    longest_reply: int = 0
    rest_s: float = 0.0
    line: LineSettings | None = None
    reply_line: LineSettings | None = None
    is_repeated: bool = True
    is_put_off: Callable[[Frame], bool] = lambda frame: False
    shape: Hashable = None
    clears: bool = False
    is_own: Callable[[Frame], bool] | None = None

    def with_rests(self, rest_s: float) -> Request:
        """Return the request to a device that may fall silent for so long inside its reply."""
        return replace(self, rest_s=rest_s) if rest_s > self.rest_s else self


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one poll of a device brought.

    Attributes:
        values: for each settings object the device was made of, in that order, its values.
        complete: False if a request was left unanswered or refused, so that values are missing.
        refusals: what the device refused, one for each refused request.
        out_of_limits: how many values lay outside their `min`/`max` and were left out.
        left_out: for each settings object the keys that are not asked for at present, each with the reason;
            () if there are none.
        missing: for each settings object the keys that this poll gave no value for, each with the reason:
            refused, not answered, outside its limits, marked as invalid; () if that is not known.
        reread: yields, for the place of a settings object and a key, each change in site.toml with the value
            that the key would have then; for a value that cannot be right.
    """

    values: tuple[Values, ...]
    complete: bool = True
    refusals: tuple[DeviceRefusal, ...] = ()
    out_of_limits: int = 0
    left_out: tuple[Mapping[str, str], ...] = ()
    missing: tuple[Mapping[str, str], ...] = ()
    reread: Callable[[int, str], Iterable[tuple[str, Value]]] = field(
        default=lambda sensor, key: (), compare=False
    )


Dialogue = Generator[Request, Frame | None, PollResult]


class Device(Protocol):
    """One thing on the bus that answers for itself: asked once, it may serve several sensors of the site.

    It may learn from one poll for the next (a hole the device refused); it holds nothing else. Whatever it
    learns it doubts again after some time (`protocols.toolkit.lessons`). If a poll changes anything that its
    attributes refer to, rather than the attributes alone, it `Learns`.
    """

    @property
    def address(self) -> str:
        """Return its address on the bus, for people."""
        ...

    def poll(self, now: float, /) -> Dialogue:
        """Start one poll at `now`, in seconds of a clock that never goes back."""
        ...

    def planned(self) -> Sequence[Request]:
        """Return the requests of the next poll, as they are if each is answered."""
        ...


@runtime_checkable
class Learns(Protocol):
    """A device of which `copy.copy` would not do, as the copy would learn for both."""

    def twin(self) -> Device:
        """Return a device that knows the same, and learns apart from this one."""
        ...


def twin_of(device: Device) -> Device:
    """Return a device that knows what this one knows now, to play one of its polls again."""
    return device.twin() if isinstance(device, Learns) else copy(device)


@runtime_checkable
class TellsLessons(Protocol):
    """A device that can say what it has learned beside what its polls leave out."""

    def lessons(self) -> Sequence[str]:
        """Return a sentence for each lesson, without the name of the sensor."""
        ...


@runtime_checkable
class SharesAddress(Protocol):
    """A device that can heed others of its address, which are asked in another rhythm."""

    def keep_apart(self, others: Sequence[Device], /) -> None:
        """Ask, where the address stands that, so that no reply can be taken for one to these others."""
        ...
