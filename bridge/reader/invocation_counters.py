"""The last invocation counters of the meters on a bus: what was heard once is never believed again.

    spool ──at the start──▶ InvocationCounters ──▶ listener of each opening of the port
      ▲                             │
      └──── note, with the readings ┘

A meter that encrypts numbers its telegrams, and the number only grows. The listener knows the last good one
of each meter and refuses an older one, but protocols keep nothing. So the spool does: the counters are
committed in the very transactions that commit the readings, so that a crash loses both or none. The runtime
directory would be cheaper and is empty after a reboot, just when somebody could play back what was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from protocols.toolkit.pushing import CountsInvocations, Listener


class InvocationCounters:
    """Carries the counters from one listener to the next, and into the spool.

    Args:
        saved: those of the processes before this one.
        note: keeps those that have changed.
    """

    def __init__(self, saved: Mapping[str, int], note: Callable[[Mapping[str, int]], None]) -> None:
        self._counters = dict(saved)
        self._note = note

    def begin(self, listener: Listener) -> None:
        """Tell a new listener what was heard before it."""
        if isinstance(listener, CountsInvocations):
            listener.continue_after(self._counters)

    def keep(self, listener: Listener) -> None:
        """Keep what a listener has heard since the last call."""
        if not isinstance(listener, CountsInvocations):
            return
        changed = {
            meter: counter
            for meter, counter in listener.invocation_counters.items()
            if self._counters.get(meter) != counter
        }
        if changed:
            self._counters |= changed
            self._note(changed)
