"""The echo of the own request, on adapters that hear what they send: found and dropped. Pure."""

from __future__ import annotations

from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Request

_STRAY = 4  # octets that may come before it, from the driver as it switches direction


class Echo:
    """Takes the echo of one request out of what is heard after it.

    What may still become the echo is held back until that is clear. A reply that equals its request (Modbus:
    most writes) is an echo only on a line known to have one. A reply that begins with its request looks like
    an echo and the rest of a reply: the line tries it both ways, and remembers what this request needs.
    """

    def __init__(self, request: Request, *, is_usual: bool, is_of_reply: bool = False) -> None:
        """Expect the echo of `request`.

        Args:
            request: what is sent.
            is_usual: this line had an echo the last time.
            is_of_reply: the reply to this request begins with a copy of it, which is no echo.
        """
        self.is_found = False
        self._data = request.data
        self._reach = len(request.data) + (_STRAY if is_usual else 0)
        is_reply = not is_usual and request.accepts(Frame(request.data))
        self._is_settled = not request.data or is_of_reply or is_reply
        self._withheld = b""

    @property
    def is_waiting(self) -> bool:
        """Return whether octets are withheld."""
        return bool(self._withheld)

    def strip(self, data: bytes) -> bytes:
        """Return the octets without the echo, and without those withheld as its possible beginning."""
        if self._is_settled:
            return data
        self._withheld += data
        at = self._withheld.find(self._data, 0, self._reach)
        if at >= 0:
            self.is_found = True
            self._withheld = self._withheld[:at] + self._withheld[at + len(self._data) :]
        elif self._may_follow():
            return b""
        return self.release()

    def release(self) -> bytes:
        """Return the withheld octets: none follow that would make them the echo."""
        self._is_settled = True
        octets, self._withheld = self._withheld, b""
        return octets

    def _may_follow(self) -> bool:
        """Return whether the withheld octets may be the beginning of the echo, within its reach."""
        octets = self._withheld[: self._reach]
        last_start = self._reach - len(self._data)
        return any(self._data.startswith(octets[at:]) for at in range(min(last_start, len(octets)) + 1))


def reply_with_copy(request: Request, raw: bytes) -> Frame | None:
    """Return the reply in `raw`, all that was heard, if it begins with a copy of its request; else None."""
    framer = request.framer()
    for event in [*framer.feed(raw), *framer.silence()]:
        is_copy = event.data.startswith(request.data) and len(event.data) > len(request.data)
        if is_copy and isinstance(event, Frame) and request.accepts(event):
            return event
    return None
