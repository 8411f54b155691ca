"""What a scan brings, as plain data: for `scan`, and for `setup`, `replace` and whoever comes later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict

from bridge.causes import Cause, diagnosis
from bridge.reader.searching import FindDocument, find_document, find_in
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Find


@dataclass(frozen=True, slots=True)
class Located:
    """A find, and where it was found.

    Attributes:
        find: what is known of the device.
        line: the line settings at which it was heard.
        after_s: seconds from the begin of the scan.
    """

    find: Find
    line: LineSettings
    after_s: float

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what tells it from other finds: line settings, protocol, address."""
        return str(self.line), self.find.protocol, self.find.address


class Ending(StrEnum):
    """Why a scan ended."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    NOT_OURS = "not ours"  # another master, or a sensor that sends by itself: nothing may be sent


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan brought.

    Attributes:
        port: the device file, or the name of the bus.
        finds: by line settings, protocol and address.
        ending: why it ended.
        remark: one sentence on the line as a whole: another master, nothing heard; "" if there is none.
        octets_sent: how many octets were sent; None if the reader of the bus sent them.
        bus_s: how long the line was in use, listening included, in seconds.
    """

    port: str
    finds: tuple[Located, ...]
    ending: Ending
    remark: str
    octets_sent: int | None
    bus_s: float


class LocatedDocument(FindDocument):
    """One find of `scan --json`."""

    line: str
    after_s: float


class ScanDocument(TypedDict):
    """The document of `scan --json`."""

    port: str
    ending: str
    remark: str
    octets_sent: int | None
    bus_s: float
    finds: list[LocatedDocument]


def document(result: ScanResult) -> ScanDocument:
    """Return the document of `scan --json`."""
    return {
        "port": result.port,
        "ending": result.ending.value,
        "remark": result.remark,
        "octets_sent": result.octets_sent,
        "bus_s": round(result.bus_s, 1),
        "finds": [located_document(located) for located in result.finds],
    }


def located_document(located: Located) -> LocatedDocument:
    """Return the document of one find."""
    return {**find_document(located.find), "line": str(located.line), "after_s": round(located.after_s, 1)}


def located_in(document: Mapping[str, Any]) -> Located:
    """Return the find of a document.

    Raises:
        KeyError, ValueError: it is none.
    """
    return Located(find_in(document), LineSettings.parse(document["line"]), document["after_s"])


def sentence(find: Find) -> str:
    """Return one sentence on a find: what is wrong and the next step, else the first reason."""
    if find.trouble is not None:
        return str(diagnosis(Cause(find.trouble.value)))
    return find.reasons[0] if find.reasons else find.evidence.value


def merged(finds: list[Located]) -> tuple[Located, ...]:
    """Return one find for each device: of several the strongest, of equal ones the latest."""
    best: dict[tuple[str, str, str], Located] = {}
    for located in finds:
        earlier = best.get(located.key)
        if earlier is None or located.find.evidence.rank <= earlier.find.evidence.rank:
            best[located.key] = located
    return tuple(best[key] for key in sorted(best, key=_natural))


def _natural(key: tuple[str, str, str]) -> tuple[str, str, int, str]:
    line, protocol, address = key
    return line, protocol, int(address) if address.isdecimal() else 0, address
