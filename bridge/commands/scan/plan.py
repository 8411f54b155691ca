"""In which order a line is searched: protocols, line settings and addresses, the most likely first. Pure.

    pass 1   steps, each a protocol at one line setting: its likely addresses or a broadcast, later the others
    pass 2   where something was heard: those that kept silent, with a longer time-out

Steps are ordered by what they promise for their time: how often the protocol is met, how usual the line
setting is, whether installers give such addresses, divided by the seconds that it takes.

A bus has one line setting and mostly one protocol. So where something was found, that setting is finished at
once (`rest`), and then the others are left out.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Scanning, Scope

PATIENT_S = 1.2
"""Few devices take longer to reply."""

_NEXT_LINE = 0.8  # so much less likely is each line setting than the one before it
_NEXT_ROUND = 0.3  # the same of a round: where one device is, there mostly is one with a usual address
_PARITIES, _OCTET = "NE", 8  # an odd one is seldom
_USUAL_SPEEDS = (2400, 4800, 9600, 19200)
_SELDOM_SPEEDS = (1200,)
_TURN_S = 0.012  # of a request, beside its octets and its time-out: gap, and the way through the system


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a scan: one protocol at one line setting, some addresses.

    Attributes:
        protocol: its name.
        scope: what is asked.
        round: its round, from 0.
        cost_s: how long it takes if nobody answers, in seconds.
    """

    protocol: str
    scope: Scope
    round: int
    cost_s: float

    @property
    def place(self) -> tuple[str, LineSettings]:
        """Return the protocol and the line settings."""
        return self.protocol, self.scope.line

    @property
    def key(self) -> str:
        """Return what tells it from the other steps of a scan, for the file by which one is resumed."""
        ends = f"{self.scope.addresses[0]}-{self.scope.addresses[-1]}" if self.scope.addresses else "all"
        return f"{self.protocol}|{self.scope.line}|{ends}|{self.scope.reply_within_s:g}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person has limited a scan to.

    Attributes:
        line: the only line settings; None: all.
        addresses: the text of --addresses; "": all.
        is_quick: only the likely addresses, and no second pass.
    """

    line: LineSettings | None = None
    addresses: str = ""
    is_quick: bool = False


def steps(scannings: Mapping[str, Scanning], limits: Limits) -> list[Step]:
    """Return all steps in their order.

    Args:
        scannings: how each protocol is searched, by its name, the likely ones first.
        limits: what the person has limited.

    Raises:
        ValueError: no protocol has such addresses; the message says the rule.
    """
    planned: list[tuple[float, Step]] = []
    fault: ValueError | None = None
    for name, scanning in scannings.items():
        if scanning.search is None:
            continue
        try:
            rounds = _rounds(scanning, limits)
        except ValueError as error:
            fault = fault or error  # that of the likeliest protocol
            continue
        lines = _lines(scanning, limits, is_alone=len(scannings) == 1)
        for number, addresses in enumerate(rounds):
            for line in lines:
                scope = Scope(line, addresses, scanning.reply_within_s, limits.is_quick)
                step = Step(name, scope, number, cost_s(scanning, scope))
                chance = scanning.weight * _NEXT_ROUND**number * _NEXT_LINE ** _rank(scanning, line)
                planned.append((chance / step.cost_s, step))
    if fault is not None and not planned:
        raise fault
    return [step for _, step in sorted(planned, key=lambda entry: -entry[0])]


def _lines(scanning: Scanning, limits: Limits, *, is_alone: bool) -> Sequence[LineSettings]:
    """Return the line settings at which a protocol is searched.

    Octets of eight bits do not go through a line of seven, so nobody is looked for there who sends them.
    """
    line = limits.line
    if line is None:
        return scanning.lines
    is_own = _rank(scanning, line) < len(scanning.lines)
    fits = is_own or line.bytesize in {own.bytesize for own in scanning.lines}
    return (line,) if is_alone or (is_own if scanning.has_own_line else fits) else ()


def _rank(scanning: Scanning, line: LineSettings) -> int:
    """Return how many line settings of a protocol are more usual; a second stop bit is a mere pause."""
    own_lines = [replace(own, stopbits=1) for own in scanning.lines]
    return next(
        (rank for rank, own in enumerate(own_lines) if own == replace(line, stopbits=1)), len(own_lines)
    )


def _rounds(scanning: Scanning, limits: Limits) -> Sequence[tuple[str, ...]]:
    if limits.addresses and scanning.addressed is not None:
        return (scanning.addressed(limits.addresses),)
    return scanning.rounds[:1] if limits.is_quick else scanning.rounds


def cost_s(scanning: Scanning, scope: Scope) -> float:
    """Return how long a scope takes if nobody answers, in seconds."""
    requests = len(scope.addresses) or scanning.requests
    request_s = scope.line.duration_s(scanning.probe_octets + 8) + scope.line.frame_gap_s + _TURN_S
    return requests * (request_s + scope.reply_within_s)


def rest(
    protocol: str, line: LineSettings, pending: Sequence[Step], neighbours: Container[str], *, is_quick: bool
) -> list[Step]:
    """Return what is left to do once something was found with a protocol at line settings.

    Those settings are finished: what was found first, then the other protocols. A device that was set up
    wrong is common: one with another parity is looked for at all addresses, one with another speed at the
    likely ones. An odd parity and 1200 baud are seldom, and so are other protocols on one line, but for
    `neighbours`: no more than their likely addresses are asked.
    """
    own = [step for step in pending if step.scope.line == line and step.protocol == protocol]
    others = [step for step in pending if step.scope.line == line and step not in own]
    if is_quick:
        return [*own, *others]
    others = [step for step in others if not step.round or step.protocol in neighbours]
    parities = {*_PARITIES, line.parity}
    elsewhere = [step for step in pending if step.scope.line != line and step.protocol == protocol]
    other_parity = [
        step
        for step in elsewhere
        if step.scope.line.baudrate == line.baudrate
        and (step.scope.line.parity in parities or not step.round)
    ]
    other_speed = [
        step
        for step in elsewhere
        if step.scope.line.baudrate not in (line.baudrate, *_SELDOM_SPEEDS)
        and step.scope.line.parity in parities
        and not step.round
    ]
    return [*own, *others, *other_parity, *other_speed]


def other_parities(
    scannings: Mapping[str, Scanning], limits: Limits, line: LineSettings, known_keys: Set[str]
) -> Iterator[Step]:
    """Yield the first round of some protocols at the other parities of a line, but for known steps.

    Args:
        scannings: those whose devices may be on the line.
        limits: what the person has limited.
        line: where something was found.
        known_keys: of the steps that are planned or done.
    """
    if limits.line is not None:
        return
    for parity in _PARITIES.replace(line.parity, "") if line.bytesize == _OCTET else ():
        planned = steps(scannings, replace(limits, line=replace(line, parity=parity)))
        yield from (step for step in planned if not step.round and step.key not in known_keys)


def seldom_elsewhere(protocol: str, line: LineSettings, planned: Sequence[Step]) -> list[Step]:
    """Return the seldom addresses at the other usual speeds.

    They are for a line on which a single device was found, with such an address: most likely it is the one
    whose speed is wrong, and the others have another one.
    """
    return [
        step
        for step in planned
        if step.protocol == protocol and step.round and step.scope.line != line
        if step.scope.line.baudrate in _USUAL_SPEEDS and step.scope.line.parity == line.parity
    ]


def patient(done: Sequence[Step]) -> Iterator[Step]:
    """Yield those steps again that ask everybody at once or a single device, with more time for a reply.

    They are for a line on which nobody was found.
    """
    for step in done:
        if not step.scope.addresses and step.scope.reply_within_s < PATIENT_S:
            scope = replace(step.scope, reply_within_s=PATIENT_S)
            yield Step(step.protocol, scope, step.round, step.cost_s + PATIENT_S)


def second_pass(
    scannings: Mapping[str, Scanning],
    done: Sequence[Step],
    heard: Mapping[tuple[str, LineSettings], set[str]],
) -> Iterator[Step]:
    """Yield the steps of the second pass.

    Args:
        scannings: as of `steps`.
        done: the steps of the first pass.
        heard: for each protocol and line setting where something was found, the addresses found.
    """
    for step in done:
        scanning = scannings[step.protocol]
        found_addresses = heard.get((step.protocol, step.scope.line))
        if not scanning.slow_reply_within_s or found_addresses is None:
            continue
        addresses = tuple(address for address in step.scope.addresses if address not in found_addresses)
        if addresses:
            scope = replace(step.scope, addresses=addresses, reply_within_s=scanning.slow_reply_within_s)
            yield Step(step.protocol, scope, step.round, cost_s(scanning, scope))
