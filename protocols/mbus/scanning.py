"""How an M-Bus line is searched: the line settings to try, and which addresses a person may name.

The search itself is in `meter_search`, its tree of secondary addresses in `secondary_search`.
"""

from __future__ import annotations

from typing import Final

from protocols.mbus import secondary
from protocols.mbus.meter_search import LAST_PRIMARY, Searcher
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Scanning, Scope, Search, numbers_in


def search(scope: Scope) -> Search:
    """Search a line with the settings of a scope."""
    return Searcher(scope).search()


def addressed(text: str) -> tuple[str, ...]:
    """Return the primary addresses in a text such as "1-20,33". Raises ValueError as of `numbers_in`."""
    return numbers_in(text, 0, LAST_PRIMARY)


def _line(text: str) -> LineSettings:
    return LineSettings.parse(text)


SCANNING: Final = Scanning(
    lines=(
        *(_line(f"{baudrate} 8E1") for baudrate in (2400, 300, 9600, 4800, 1200, 19200, 600, 38400)),
        *(_line(f"{baudrate} 8N1") for baudrate in (2400, 9600)),  # set wrong, or behind a converter
    ),
    search=search,
    reply_within_s=0.25,
    probe_octets=secondary.LENGTH + 9,
    requests=2,
    addressed=addressed,
    weight=6.0,
)
