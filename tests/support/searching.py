"""A search driven on the model of a wire: what it finds, how many requests it takes, and how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bridge.simulator.field.wire import Wire
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Find, Heard, Probe, Search

_REST_S = 0.02  # a line that is quiet for longer than a UART gathers octets, by so much, is done


@dataclass
class Outcome:
    """What a search brought.

    Attributes:
        finds: what it reported, in order.
        probes: what it asked.
        seconds: how long it took, by the clock of the wire.
    """

    finds: list[Find] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def last_finds(self) -> list[Find]:
        """Return what was said last of each address, in the order in which they were found."""
        return list({find.address: find for find in self.finds}.values())


def searched(wire: Wire, search: Search, line: LineSettings, now: float = 1.0) -> Outcome:
    """Drive a search to its end, on a wire whose host has these settings."""
    outcome, began = Outcome(), now
    answer: Heard | None = None
    while True:
        try:
            step = search.send(answer) if answer is not None else next(search)
        except StopIteration:
            outcome.seconds = now - began
            return outcome
        if isinstance(step, Find):
            outcome.finds.append(step)
            answer = Heard()
            continue
        outcome.probes.append(step)
        answer, now = _asked(wire, step, line, now)


def _asked(wire: Wire, probe: Probe, line: LineSettings, now: float) -> tuple[Heard, float]:
    """Return what is heard after a probe, and the time at which the line is quiet again."""
    request, settings = probe.request, probe.request.line or line
    now += max(settings.frame_gap_s, request.pause_s)
    early = b"".join(wire.advance(at) for at in _due(wire, now))
    wire.host_line = settings
    if request.data:
        wire.write(request.data, now)
    sent_at = now + settings.duration_s(len(request.data))
    wire.host_line = request.reply_line or settings
    octets, quiet_at = _reply(wire, probe, wire.host_line, sent_at)
    octets = octets.removeprefix(request.data if wire.echo else b"")
    framer = request.framer()
    frames = [event for event in [*framer.feed(octets), *framer.silence()] if isinstance(event, Frame)]
    replies = [frame for frame in frames if request.accepts(frame)]
    others = tuple(frame for frame in frames if not replies or frame is not replies[0])
    heard = Heard(replies[0] if replies else None, others, early + octets, 0.0)
    return replace(heard, turn_around_s=0.02 if octets else 0.0), quiet_at


def _reply(wire: Wire, probe: Probe, line: LineSettings, sent_at: float) -> tuple[bytes, float]:
    """What is heard after a request: up to the reply that it accepts, or until the line is quiet again."""
    request, octets = probe.request, b""
    framer = request.framer()
    due_at = until = sent_at + probe.reply_within_s + line.gathering_s
    rest_s = max(_REST_S + line.gathering_s, request.rest_s)
    while wire.due_at <= until:
        at = wire.due_at
        heard = wire.advance(at)
        octets += heard
        has_reply = any(isinstance(event, Frame) and request.accepts(event) for event in framer.feed(heard))
        if has_reply and not probe.linger_s and not probe.waits_out:
            return octets, at
        if has_reply:
            until = max(at + probe.linger_s, due_at if probe.waits_out else 0.0)
        elif heard:
            until = max(until, at + rest_s)
    return octets, max(sent_at, until)


def _due(wire: Wire, until: float) -> Iterator[float]:
    while wire.due_at <= until:
        yield wire.due_at
