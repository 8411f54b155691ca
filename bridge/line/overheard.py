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
    """Counts, in one wait for a reply, what was none.

    Attributes:
        damaged: octets of frames with a wrong checksum.
        cut: octets of frames that did not end.
        noise: octets of neither.
        others: frames from another address.
        own: frames from the unit that was asked, which do not answer what was asked.
        late: late replies to earlier requests.
        has_echo: the request itself was heard.
    """

    damaged: int = 0
    cut: int = 0
    noise: int = 0
    others: int = 0
    own: int = 0
    late: int = 0
    has_echo: bool = False

    def add(self, request: Request, event: Event, *, is_late: bool) -> None:
        """Count an event that is not the reply to `request`."""
        if not isinstance(event, Frame):
            if event.reason == NoiseReason.CHECKSUM:
                self.damaged += len(event.data)
            elif event.reason == NoiseReason.CUT:
                self.cut += len(event.data)
            else:
                self.noise += len(event.data)
        elif is_late:
            self.late += 1
        elif request.is_own is not None and request.is_own(event):
            self.own += 1
        else:
            self.others += 1

    @property
    def cause(self) -> Cause:
        """Return why there was no reply, by the event that says most about it."""
        heard = (
            (self.damaged, Cause.DAMAGED),
            (self.own, Cause.OTHER_REPLY),
            (self.others, Cause.OTHER_ADDRESS),
            (self.late, Cause.LATE),
            (self.cut, Cause.CUT),
            (self.noise, Cause.NOISE),
            (self.has_echo, Cause.ECHO),
        )
        return next((cause for count, cause in heard if count), Cause.SILENT)

    def sentence(self, waited_s: float) -> str:
        """Return the cause in a few words."""
        return _SENTENCES.get(self.cause, f"no reply within {waited_s * 1000:.0f} ms")
