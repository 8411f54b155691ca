"""What was heard while a reply was waited for, and what that says about its absence. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import Cause
from protocols.toolkit.framing import Event, Frame, NoiseReason
from protocols.toolkit.polling import Request

_SENTENCES = {
    Cause.DAMAGED: "a damaged reply",
    Cause.CUT: "a reply that was cut short",
    Cause.OTHER_REPLY: "a reply with another function or length than was asked for",
    Cause.OTHER_ADDRESS: "a frame from another address, and no reply",
    Cause.LATE: "the late reply to an earlier request, and no other",
    Cause.NOISE: "octets that make no frame, and no reply",
    Cause.ECHO: "only the echo of the request",
}


@dataclass(slots=True)
class Overheard:
    """Counts what came, in one wait for a reply, and was not the reply.

    Attributes:
        damaged_octets: octets of frames with a wrong checksum.
        cut_octets: octets of frames that did not end.
        noise_octets: octets of neither.
        foreign_frames: frames from another address.
        other_replies: frames from the unit that was asked, which do not answer the request.
        late_replies: late replies to earlier requests.
        has_echo: the request itself was heard.
    """

    damaged_octets: int = 0
    cut_octets: int = 0
    noise_octets: int = 0
    foreign_frames: int = 0
    other_replies: int = 0
    late_replies: int = 0
    has_echo: bool = False

    def add(self, request: Request, event: Event, *, is_late: bool) -> None:
        """Count an event that is not the reply to `request`."""
        if not isinstance(event, Frame):
            if event.reason == NoiseReason.CHECKSUM:
                self.damaged_octets += len(event.data)
            elif event.reason == NoiseReason.CUT:
                self.cut_octets += len(event.data)
            else:
                self.noise_octets += len(event.data)
        elif is_late:
            self.late_replies += 1
        elif request.is_own is not None and request.is_own(event):
            self.other_replies += 1
        else:
            self.foreign_frames += 1

    @property
    def cause(self) -> Cause:
        """Return why there was no reply, by the event that says most about it."""
        causes = (
            (self.damaged_octets, Cause.DAMAGED),
            (self.other_replies, Cause.OTHER_REPLY),
            (self.foreign_frames, Cause.OTHER_ADDRESS),
            (self.late_replies, Cause.LATE),
            (self.cut_octets, Cause.CUT),
            (self.noise_octets, Cause.NOISE),
            (self.has_echo, Cause.ECHO),
        )
        return next((cause for count, cause in causes if count), Cause.SILENT)

    def sentence(self, waited_s: float) -> str:
        """Return the cause in a few words."""
        return _SENTENCES.get(self.cause, f"no reply within {waited_s * 1000:.0f} ms")
