"""Trusted time.

    clock         instants, their stamps, and the offset that dates readings
    kernel_clock  the sources that vouch for the wall clock of this machine

The server's clock, for a machine without one, is learned by `bridge.uplink.server_time`.
"""

from __future__ import annotations

from bridge.clock.clock import BUILD_DATE, MISSING, Clock, Instant, Told, following, is_plausible

__all__ = ["BUILD_DATE", "MISSING", "Clock", "Instant", "Told", "following", "is_plausible"]
