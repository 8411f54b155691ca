"""How a line is searched for meters of DL/T 645, of either edition (`meter_search`), and what traffic tells.

While another master reads the meters, the functions of its requests tell the edition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from protocols.dlt645 import frame as frames
from protocols.dlt645.edition import DLT645_1997, DLT645_2007, Edition
from protocols.dlt645.frame import ANY_ADDRESS, REPLY
from protocols.dlt645.meter_search import REPLY_S, Searcher
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Find, Scanning, Scope, Search, Trouble


def search_2007(scope: Scope) -> Search:
    """Search a line for meters of the edition of 2007."""
    return Searcher(scope, "dlt645", DLT645_2007).search()


def search_1997(scope: Scope) -> Search:
    """Search a line for meters of the edition of 1997."""
    return Searcher(scope, "dlt645-1997", DLT645_1997).search()


def heard_alike(frames_heard: Sequence[Frame], protocol: str, edition: Edition) -> list[Find]:
    """Return the meters that another master reads, by the functions of an edition; none if of the other."""
    messages = [frames.parse(frame) for frame in frames_heard]
    functions = (edition.read, edition.read_following)
    addresses = [
        message.address for message in messages if message.function in functions and message.control & REPLY
    ]
    return [
        Find(
            protocol=protocol,
            address=address,
            evidence=Evidence.HEARD,
            trouble=Trouble.OTHER_MASTER,
            reasons=(f"another master reads it, {count} replies heard",),
        )
        for address, count in Counter(addresses).items()
    ]


def addressed(text: str) -> tuple[str, ...]:
    """Return the addresses in a text such as "002311905387,002311905388".

    Raises:
        ValueError: one of them has not twelve digits.
    """
    addresses = [part.strip() for part in text.split(",")]
    for address in addresses:
        if not (address.isdecimal() and len(address) == len(ANY_ADDRESS)):
            raise ValueError(f'"{address}" is no address here, write the twelve digits on the meter')
    return tuple(addresses)


def _lines(*texts: str) -> tuple[LineSettings, ...]:
    return tuple(map(LineSettings.parse, texts))


SCANNING_2007: Final = Scanning(
    weight=4.0,
    lines=_lines("2400 8E1", "9600 8E1", "1200 8E1", "4800 8E1", "9600 8N1", "2400 8N1", "19200 8E1"),
    search=search_2007,
    passive=lambda heard: heard_alike(heard, "dlt645", DLT645_2007),
    reply_within_s=REPLY_S,
    probe_octets=20,
    requests=2,
    addressed=addressed,
    neighbours=("modbus-rtu", "dlt645-1997"),
)
SCANNING_1997: Final = Scanning(
    lines=_lines("1200 8E1", "2400 8E1", "9600 8E1", "4800 8E1"),
    search=search_1997,
    passive=lambda heard: heard_alike(heard, "dlt645-1997", DLT645_1997),
    reply_within_s=REPLY_S,
    probe_octets=18,
    addressed=addressed,
    neighbours=("modbus-rtu", "dlt645"),
)
