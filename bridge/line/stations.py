"""The addresses on a line, and whose it is what the line says beside the reply that is waited for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.line.other_master import OtherMaster
from bridge.line.reply import LateReply, Reply
from bridge.line.station import Station
from bridge.line.timed_framer import Arrival
from protocols.toolkit.framing import Event, Frame

if TYPE_CHECKING:
    from bridge.status.documents import LineDocument


@dataclass(frozen=True, slots=True)
class Sorted:
    """A reply that nobody waits for.

    Attributes:
        station: whose it is.
        is_late: it came after its time-out; False: it is the second one to the same request.
    """

    station: Station
    is_late: bool


class Stations(defaultdict[str, Station]):
    """What is known of each address; one that was not asked before is new.

    Attributes:
        foreign_frames: good frames that nobody here asked for.
        stray_octets: octets that belonged to no good frame.
        on_late: called with the address and each late reply; None: counted, but not to be believed.
        on_second: called with the address for each second reply to one request.
        on_frame: called with each good frame that is not the reply that is waited for.
        other_master: whether another master asks on this line.
    """

    def __init__(self) -> None:
        super().__init__(Station)
        self.foreign_frames = 0
        self.stray_octets = 0
        self.on_late: Callable[[str, LateReply | None], None] = lambda address, late: None
        self.on_second: Callable[[str], None] = lambda address: None
        self.on_frame: Callable[[Frame], None] = lambda frame: None
        self.other_master = OtherMaster()

    def sort(self, event: Event, arrival: Arrival) -> Sorted | None:
        """Count what is not the reply that is waited for; return whose reply it is, None if nobody's."""
        if isinstance(event, Frame):
            self.on_frame(event)
            for address, station in self.items():
                late = station.takes(event, arrival.at, is_measured=not arrival.gap_s)
                if late is None:
                    continue
                reply = Reply(event, arrival.taken, late.turn_around_s, arrival.gap_s)
                self.on_late(address, LateReply(address, late.request, reply) if late.is_certain else None)
                return Sorted(station, is_late=True)
            for address, station in self.items():
                if station.second_replies.hears(event, arrival.at):
                    self.on_second(address)
                    return Sorted(station, is_late=False)
            self.foreign_frames += 1
            self.other_master.hears(arrival.at)
        else:
            self.stray_octets += len(event.data)
        for station in self.values():
            station.noise(arrival.at)
        return None

    def totals(self) -> LineDocument:
        """Return the counters of the whole line, for the status."""
        stations = self.values()
        return {
            "requests": sum(station.requests for station in stations),
            "replies": sum(station.replies for station in stations),
            "timeouts": sum(station.timeouts for station in stations),
            "crc_errors": sum(station.crc_errors for station in stations),
            "late_replies": sum(station.late_replies for station in stations),
            "foreign_frames": self.foreign_frames,
            "stray_octets": self.stray_octets,
        }
