"""How much time a try of a request may take, as the schedule sees it."""

from __future__ import annotations

from enum import Enum, auto


class Patience(Enum):
    """What kind of try it is, and so how long its reply is waited for."""

    USUAL = auto()  # of a device that answers, or did until just now
    BRIEF = auto()  # of one that may be slow, where others would pay for more patience
    PROBE = auto()  # of a silent one: what is known of it keeps this cheap
    WAKE = auto()  # of a silent one, which perhaps only wakes; the same request follows at once
    WIDE = auto()  # more than usual, now and then, for one that may be slow

    @property
    def after_waking(self) -> Patience:
        """Return the try that follows one that may only have woken the device."""
        return Patience.WIDE if self is Patience.WIDE else Patience.PROBE
