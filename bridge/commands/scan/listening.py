"""Listening before anything is sent: whose line is it?

    silence                              ─▶ the line is ours to ask
    octets, whatever they are            ─▶ somebody sends unasked: nothing is sent, now or later
        frames of a sensor that pushes   ─▶ it names itself
        requests and replies             ─▶ another master, and who it asks
        no frame at any usual setting    ─▶ said so

A converter that is switched on, or a pair without bias, may give an octet or two once. That is no traffic,
but reason enough to listen longer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bridge.line import Wire
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import PolledProtocol, Protocol, PushingProtocol, Settings
from protocols.toolkit.scanning import Evidence, Find, Trouble
from protocols.toolkit.senders import senders

QUIET_S: Final = 2.2
"""So long nothing must be heard. A master's cycle is seldom longer, and a person learns of it within 3 s."""

_LOOK_S: Final = 3.0  # at each of the line settings that the traffic may have …
_LOOK_OCTETS: Final = 250  # … and so many octets at a slow one: some whole frames
_STRAY_OCTETS: Final = 2  # that come once and are no traffic
_LEAST_FRAMES: Final = 2
_LEAST_SHARE: Final = 0.5  # of the octets must be good frames
_RARE_SHARE: Final = 0.9  # … where they are few
_MANY_FRAMES, _SMALL_SHARE = 4, 0.2  # a master that is in a hurry collides with replies
_NAMED_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is sent on a line on which nobody was asked.

    Attributes:
        line: the line settings at which it makes frames; None: at none. Parity may be another: a host takes
            octets with a wrong parity bit, too.
        finds: the sensors that send by themselves, or those that another master asks.
        is_master: another master asks.
    """

    line: LineSettings | None = None
    finds: tuple[Find, ...] = ()
    is_master: bool = False

    @property
    def sentence(self) -> str:
        """Return what to say of it."""
        if self.line is None:
            return (
                "somebody sends on this line, in no protocol and at no line settings that are known here: "
                "nothing was sent; look for another master, or name the settings with --line"
            )
        if self.is_master:
            addresses = [find.address for find in self.finds if find.address]
            more = " …" if len(addresses) > _NAMED_MOST else ""
            whom = f"{', '.join(addresses[:_NAMED_MOST])}{more}" if addresses else "on this line"
            return (
                f"another master is at work at {self.line.baudrate} baud, it asks {whom}: "
                "nothing was sent; stop it to scan, or only listen (listen = true on the bus)"
            )
        return f"sensors send by themselves at {self.line}: nothing was sent, and nothing needs to be asked"


async def is_quiet(wire: Wire, quiet_s: float = QUIET_S) -> bool:
    """Listen; return whether the line is silent, or gives no more than an octet or two.

    Returns as soon as it is clear that somebody sends.
    """
    octets, ends_at = 0, _now() + quiet_s
    while _now() < ends_at:
        data = await wire.read(ends_at)
        if data and octets == 0:
            ends_at += quiet_s / 2
        octets += len(data)
        if octets > _STRAY_OCTETS:
            return False
    return True


async def recognise(
    wire: Wire, lines: Sequence[LineSettings], protocols: Sequence[Protocol], report: Callable[[str], None]
) -> Traffic:
    """Listen at one line setting after the other until the traffic makes sense; send nothing.

    Args:
        wire: the line.
        lines: the line settings to try, the likely ones first.
        protocols: what may be spoken.
        report: called with what is being done.
    """
    for line in lines:
        report(f"listening at {line}")
        if line != wire.settings:
            await wire.configure(line)
            await wire.read(_now())  # what came at the settings before
        octets = await _octets(wire, max(_LOOK_S, line.duration_s(_LOOK_OCTETS)))
        traffic = told_by(octets, line, protocols)
        if traffic is not None:
            return traffic
    return Traffic()


async def _octets(wire: Wire, look_s: float) -> bytes:
    octets, ends_at = b"", _now() + look_s
    while _now() < ends_at:
        octets += await wire.read(ends_at)
    return octets


def told_by(octets: bytes, line: LineSettings, protocols: Sequence[Protocol]) -> Traffic | None:
    """Return what octets say, by the protocol whose frames cover most of them; None: none covers enough."""
    covering: list[tuple[float, Protocol, list[Frame]]] = []
    for protocol in protocols:
        if line not in _lines_of(protocol, line):
            continue
        frames = _frames(protocol, octets)
        share = sum(len(frame.data) for frame in frames) / max(1, len(octets))
        is_enough = share >= (_LEAST_SHARE if len(frames) >= _LEAST_FRAMES else _RARE_SHARE) or (
            len(frames) >= _MANY_FRAMES and share >= _SMALL_SHARE
        )
        if frames and is_enough:
            covering.append((share, protocol, frames))
    if not covering:
        return None
    most = max(share for share, _, _ in covering)
    best = [(protocol, frames) for share, protocol, frames in covering if share == most]
    pushing = [(protocol, frames) for protocol, frames in best if isinstance(protocol, PushingProtocol)]
    if pushing:
        return Traffic(line, _told_apart([_pushed(protocol, frames) for protocol, frames in pushing]))
    asked = [_mastered(protocol, frames) for protocol, frames in best]
    return Traffic(line, tuple(next(filter(None, asked), ())), is_master=True)


def _lines_of(protocol: Protocol, line: LineSettings) -> Sequence[LineSettings]:
    """Return the line settings that a protocol's sensors have; where none are known, those in force."""
    own_lines = protocol.scanning().lines if protocol.scanning else ()
    return own_lines or ((protocol.line,) if protocol.line else (line,))


def _told_apart(readings: Sequence[Sequence[Find]]) -> tuple[Find, ...]:
    """Return what one protocol proves, of several whose frames look alike; none is claimed if two do."""
    claims = [finds for finds in readings if any(find.evidence is Evidence.IDENTIFIED for find in finds)]
    if len(claims) == 1:
        return tuple(claims[0])
    finds = [find for reading in claims or readings for find in reading]
    return tuple(replace(find, evidence=Evidence.HEARD, model=None, confidence=None) for find in finds)


def _frames(protocol: Protocol, octets: bytes) -> list[Frame]:
    framer = protocol.framer()
    return [event for event in [*framer.feed(octets), *framer.silence()] if isinstance(event, Frame)]


def _pushed(protocol: PushingProtocol[Settings], frames: Sequence[Frame]) -> Sequence[Find]:
    """Return the sensors that frames tell of."""
    passive = protocol.scanning().passive if protocol.scanning else None
    return senders(protocol, frames) if passive is None else passive(frames)


def _mastered(protocol: Protocol, frames: Sequence[Frame]) -> list[Find]:
    """Return the addresses that another master asks; none if a protocol with the same frames is spoken."""
    assert isinstance(protocol, PolledProtocol)
    passive = protocol.scanning().passive if protocol.scanning else None
    if passive is not None:
        return list(passive(frames))
    describe, counts = protocol.describer(), Counter[str]()
    for frame in frames:
        try:
            address = describe(frame).get("address")
        except ProtocolError:
            continue
        counts[str(address) if address is not None else ""] += frame.direction is not Direction.REQUEST
    return [
        Find(
            protocol=protocol.name,
            address=address,
            evidence=Evidence.HEARD,
            reasons=(f"another master asks it in {protocol.title}, {replies} replies heard",),
            trouble=Trouble.OTHER_MASTER,
        )
        for address, replies in counts.items()
    ]


def _now() -> float:
    return asyncio.get_running_loop().time()
