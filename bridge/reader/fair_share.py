"""Who asks for more of an overloaded line than its fair share. Pure.

Max-min fairness: whoever wants less than an equal share gets all of it, and what that leaves is shared among
the others alike. So a device that becomes slow loses polls of its own, and none of its neighbours'.
"""

from __future__ import annotations

from collections.abc import Collection

FULL = 0.97  # of the time; beyond that somebody loses slots


def fair_share(demands: Collection[float]) -> float:
    """Return the most that each may have, given what each would take of the time; inf: there is enough."""
    left = FULL
    if sum(demands) <= left:
        return float("inf")
    for count, demand in zip(range(len(demands), 0, -1), sorted(demands), strict=True):
        share = left / count
        if demand > share:
            return share
        left -= demand
    return float("inf")
