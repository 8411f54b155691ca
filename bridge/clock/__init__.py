"""Time: instants and their stamps (clock), and the sources that vouch for the wall clock: the kernel
(kernel_clock) or the server (server_time)."""

from __future__ import annotations

from bridge.clock.clock import BUILD_DATE, MISSING, Clock, Instant, Told, following, is_plausible

__all__ = ["BUILD_DATE", "MISSING", "Clock", "Instant", "Told", "following", "is_plausible"]
