"""What is scanned, and who is told of it as it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from bridge.commands.scan.plan import Limits
from bridge.commands.scan.result import Located
from protocols.toolkit import protocol as records
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Scanning

USUAL_LINES: Final = tuple(
    map(
        LineSettings.parse,
        ("9600 8N1", "19200 8E1", "9600 8E1", "2400 8E1", "19200 8N1", "115200 8N1", "4800 8N1", "38400 8N1"),
    )
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is.

    Attributes:
        text: what is being done.
        left_s: how long the rest takes if nothing more is found, in seconds; None: not known.
        share: the part that is done, 0–1.
    """

    text: str
    left_s: float | None = None
    share: float = 0.0


class Watcher(Protocol):
    """Who is told of a scan as it goes on."""

    def found(self, located: Located) -> None:
        """Take a find, or what is newly known of one."""

    def progress(self, progress: Progress) -> None:
        """Take how far the scan is."""

    def said(self, sentence: str) -> None:
        """Take a sentence on the line as a whole."""

    def finished(self, step: str) -> None:
        """Take the key of a step that is through, for `Subject.done`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is scanned, and what for.

    Attributes:
        port: the device file, or the name of the bus.
        protocols: what may be spoken, by name; the likely ones first.
        limits: what the person has limited.
        done: the keys of steps of an earlier scan that are not repeated.
        finds: those of that scan.
    """

    port: str
    protocols: Mapping[str, records.Protocol]
    limits: Limits = field(default_factory=Limits)
    done: frozenset[str] = frozenset()
    finds: tuple[Located, ...] = ()

    def scannings(self) -> dict[str, Scanning]:
        """Return how each protocol is searched that can be."""
        return {
            name: record.scanning() for name, record in self.protocols.items() if record.scanning is not None
        }
