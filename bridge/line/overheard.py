"""What was heard while a reply was waited for, and what that says about its absence. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridge.causes import Cause
from protocols.toolkit.framing import Event, Frame, NoiseReason
from protocols.toolkit.polling import Request

_LEAST_EXCESS = 4  # octets beyond a reply that are more than a burst of noise beside it


class UartCounters(Protocol):
    """The error counters of a UART, which only grow."""

    @property
    def framing(self) -> int:
        """Return how many octets had no stop bit."""

    @property
    def parity(self) -> int:
        """Return how many octets had a wrong parity bit."""


@dataclass(slots=True)
class Overheard:
    """Counts what came, in one wait for a reply, and was not the reply.

    Attributes:
        data: all octets but the echo.
        began_at: when the first of them came (loop time); None: none did.
        damaged_octets: octets of frames with a wrong checksum.
        is_own_damaged: the first of these frames began like one of the unit that was asked.
        cut_octets: octets of frames that did not end.
        noise_octets: octets of neither.
        foreign_frames: frames from an address that was not asked.
        other_replies: frames from the unit that was asked, which do not answer the request.
        late_replies: late replies to earlier requests to this address.
        second_replies: second replies of this address.
        framing_errors: octets without a stop bit, as the UART counted them.
        parity_errors: octets with a wrong parity bit, as the UART counted them.
        has_echo: the request itself was heard.
        has_other_master: another master was heard on this line of late.
    """

    data: bytes = b""
    began_at: float | None = None
    damaged_octets: int = 0
    is_own_damaged: bool = False
    cut_octets: int = 0
    noise_octets: int = 0
    foreign_frames: int = 0
    other_replies: int = 0
    late_replies: int = 0
    second_replies: int = 0
    framing_errors: int = 0
    parity_errors: int = 0
    has_echo: bool = False
    has_other_master: bool = False

    def add(self, request: Request, event: Event) -> None:
        """Count an event that is a reply to nothing that was asked."""
        if isinstance(event, Frame):
            if request.is_own is not None and request.is_own(event):
                self.other_replies += 1
            else:
                self.foreign_frames += 1
        elif event.reason == NoiseReason.CHECKSUM:
            if not self.damaged_octets:
                self.is_own_damaged = request.is_own is not None and request.is_own(Frame(event.data))
            self.damaged_octets += len(event.data)
        elif event.reason == NoiseReason.CUT and _may_be_own(request, event.data):
            self.cut_octets += len(event.data)
        else:
            self.noise_octets += len(event.data)

    def add_uart(self, before: UartCounters | None, after: UartCounters | None) -> None:
        """Count the errors of the UART between two looks at its counters; None: its driver does not count."""
        if before is not None and after is not None:
            self.framing_errors += max(0, after.framing - before.framing)
            self.parity_errors += max(0, after.parity - before.parity)

    @property
    def is_damaged(self) -> bool:
        """Return whether a reply with a wrong checksum was heard."""
        return self.damaged_octets > 0

    def cause(self, request: Request) -> Cause:
        """Return why there was no reply to `request`, by the event that says most about it."""
        unframed = self.damaged_octets + self.cut_octets + self.noise_octets
        longest = max(request.reply_length, request.longest_reply)
        is_too_much = longest > 0 and len(self.data) >= longest + max(_LEAST_EXCESS, longest // 2)
        causes = (
            (self.has_other_master, Cause.OTHER_MASTER),
            (unframed and self.parity_errors and not self.framing_errors, Cause.PARITY),
            (self.second_replies, Cause.TWO_DEVICES),
            (unframed and not self.foreign_frames and is_too_much, Cause.TWO_DEVICES),
            (self.damaged_octets, Cause.DAMAGED),
            (self.other_replies, Cause.OTHER_REPLY),
            (self.foreign_frames, Cause.OTHER_ADDRESS),
            (self.late_replies, Cause.LATE),
            (unframed and self.framing_errors, Cause.FRAMING),
            (self.cut_octets, Cause.CUT),
            (self.noise_octets, Cause.NOISE),
            (self.has_echo, Cause.ECHO),
        )
        return next((cause for evidence, cause in causes if evidence), Cause.SILENT)


def _may_be_own(request: Request, data: bytes) -> bool:
    """Return whether the beginning of a frame comes from the unit that was asked, as far as that is known."""
    return request.is_own is None or request.is_own(Frame(data))
