"""The share of an overloaded line that one device may take. Pure.

Max-min fairness: a device that needs less than an equal share gets all of it, and the remainder is shared
equally among the others. So a device that becomes slow loses polls of its own, and none of its neighbours'.
"""

from __future__ import annotations

from collections.abc import Collection

FULL = 0.97  # of the time; beyond that a device loses slots


def fair_share(demands: Collection[float]) -> float:
    """Return the largest share of the time that one device may use; inf if there is enough for all.

    Args:
        demands: the share of the time that each device would use, 0–1 each.
    """
    remaining = FULL
    if sum(demands) <= remaining:
        return float("inf")
    for count, demand in zip(range(len(demands), 0, -1), sorted(demands), strict=True):
        share = remaining / count
        if demand > share:
            return share
        remaining -= demand
    return float("inf")
