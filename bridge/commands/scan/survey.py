"""A whole scan of one line: listen, ask in the order of the plan, and say at once what is found.

listen ─┬▶ somebody sends: say who, send nothing                                   (listening)
        └▶ steps of the plan, each a search of one protocol at one line setting    (plan, asking)
             └▶ a find: finish this setting, look at its neighbours, stop
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bridge.causes import Cause, diagnosis
from bridge.commands.scan.asking import Asker, Intruder
from bridge.commands.scan.listening import QUIET_S, Traffic, is_quiet, recognise
from bridge.commands.scan.plan import (
    Step,
    other_parities,
    patient,
    rest,
    second_pass,
    seldom_elsewhere,
    steps,
)
from bridge.commands.scan.result import Ending, Located, ScanResult, merged
from bridge.commands.scan.subject import USUAL_LINES, Progress, Subject, Watcher
from bridge.line import Wire
from protocols.toolkit import protocol as records
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Framer
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Find, Heard, Probe, Scope, Search

_log = logging.getLogger(__name__)

__all__ = ["USUAL_LINES", "Progress", "Subject", "Survey", "Watcher"]

_ALONE: Final = frozenset({Evidence.IDENTIFIED, Evidence.ANSWERS, Evidence.REFUSES})


@dataclass(slots=True)
class _State:
    """What is known so far."""

    finds: list[Located]
    done: list[Step] = field(default_factory=list)
    found_line: LineSettings | None = None
    other_lines: set[LineSettings] = field(default_factory=set)  # where something was found later
    identified: set[tuple[str, str, str]] = field(default_factory=set)


class Survey:
    """One scan of one line.

    Args:
        wire: the line, open.
        subject: what is scanned.
        watcher: is told as it goes on.
    """

    def __init__(self, wire: Wire, subject: Subject, watcher: Watcher) -> None:
        self._wire = wire
        self._subject = subject
        self._watcher = watcher
        self._scannings = subject.scannings()
        self._asker = Asker(wire)
        self._begun = _now()
        self._state = _State(list(subject.finds))
        self._work_s = 0.0
        self._left_s = 0.0

    async def run(self) -> ScanResult:
        """Scan the line; return what was found, also when it is interrupted (cancelled).

        Raises:
            PortLost: from the wire.
        """
        remark, ending = "", Ending.COMPLETE
        try:
            self._watcher.progress(Progress("listening: whose line is it?"))
            if await is_quiet(self._wire, QUIET_S):
                await self._ask()
            else:
                remark, ending = await self._listen_on(), Ending.NOT_OURS
        except Intruder:
            remark, ending = str(diagnosis(Cause.OTHER_MASTER)), Ending.NOT_OURS
            self._watcher.said(f"the line {remark}")
        except asyncio.CancelledError:
            ending = Ending.INTERRUPTED
        finds = merged(self._state.finds)
        if not finds and ending is Ending.COMPLETE:
            remark = (
                "nothing answers at any of these settings: check power, then A and B (swapped?), then the "
                "settings in the manual (--line, --protocol)"
            )
            if self._subject.limits.addresses or self._subject.limits.is_quick:
                remark += "; without --addresses and --quick every address is asked"
        return ScanResult(
            self._subject.port, finds, ending, remark, self._asker.octets_sent, _now() - self._begun
        )

    async def _listen_on(self) -> str:
        """Learn who sends; return the sentence on it."""
        self._watcher.said("somebody sends on this line, so nothing is asked: listening who it is")
        protocols = sorted(
            self._subject.protocols.values(), key=lambda record: isinstance(record, records.PolledProtocol)
        )
        lines = _unique(
            [
                *([self._subject.limits.line] if self._subject.limits.line else [self._wire.settings]),
                *(USUAL_LINES if self._subject.limits.line is None else ()),
                *(self._own_lines(protocols) if self._subject.limits.line is None else ()),
            ]
        )
        traffic: Traffic = await recognise(
            self._wire, lines, protocols, lambda text: self._watcher.progress(Progress(text))
        )
        for find in traffic.finds:
            self._note(find, traffic.line or self._wire.settings)
        self._watcher.said(traffic.sentence)
        return traffic.sentence

    def _own_lines(self, protocols: Sequence[records.Protocol]) -> Iterable[LineSettings]:
        """Yield the line settings of what pushes, then those of what is polled."""
        for record in protocols:
            if record.line is not None:
                yield record.line
            if record.name in self._scannings:
                yield from self._scannings[record.name].lines

    async def _ask(self) -> None:
        """Go through the steps of the plan."""
        planned = steps(self._scannings, self._subject.limits)
        pending = [step for step in planned if step.key not in self._subject.done]
        self._state.done = [step for step in planned if step.key in self._subject.done]
        earlier = next((one for one in self._state.finds if one.find.evidence in _ALONE), None)
        if earlier is not None:
            self._state.found_line = earlier.line
            pending = self._rest(earlier.find.protocol, earlier.line, pending)
        self._work_s = sum(step.cost_s for step in pending)
        while pending:
            step = pending.pop(0)
            self._left_s = sum(later.cost_s for later in pending)
            await self._take(step)
            self._state.done.append(step)
            if not any(later.place == step.place for later in pending):
                await self._identify(step)
            self._watcher.finished(step.key)
            if self._state.found_line is None and self._has_found(step.scope.line):
                self._state.found_line = step.scope.line
                self._state.other_lines.add(step.scope.line)
                pending = self._rest(step.protocol, step.scope.line, pending)
                self._work_s = sum(later.cost_s for later in pending)
            elif step.scope.line not in self._state.other_lines and self._has_found(step.scope.line):
                self._state.other_lines.add(step.scope.line)
                known = {known.key for known in (*self._state.done, *pending)}
                beside = self._neighbours(step.protocol, step.scope.line, known)
                pending = [*(step for step in beside if not step.round), *pending]
            if not pending:
                pending = self._elsewhere(planned)
        if not self._subject.limits.is_quick:
            await self._take_again()

    async def _take_again(self) -> None:
        """Ask those that kept silent once more, more patiently, where something was found."""
        heard: dict[tuple[str, LineSettings], set[str]] = {}
        for located in self._state.finds:
            heard.setdefault((located.find.protocol, located.line), set()).add(located.find.address)
        again = second_pass(self._scannings, self._state.done, heard) if heard else patient(self._state.done)
        pending = [step for step in again if step.key not in self._subject.done]
        while pending:
            step = pending.pop(0)
            self._left_s = sum(later.cost_s for later in pending)
            await self._take(step)
            await self._identify(step)
            self._watcher.finished(step.key)

    def _rest(self, protocol: str, line: LineSettings, pending: Sequence[Step]) -> list[Step]:
        """Return what is left to do once something was found with a protocol at line settings."""
        limits = self._subject.limits
        known_keys = {step.key for step in (*self._state.done, *pending)}
        pending = [*pending, *self._neighbours(protocol, line, known_keys)]
        neighbours = self._scannings[protocol].neighbours
        left = rest(protocol, line, pending, neighbours, is_quick=limits.is_quick)
        if limits.is_quick:
            return left
        known_keys = {step.key for step in (*self._state.done, *left)}
        names = (protocol, *neighbours)
        beside = {name: self._scannings[name] for name in names if name in self._scannings}
        try:
            return [*left, *other_parities(beside, limits, line, known_keys)]
        except ValueError:  # they have none of the addresses that a person has chosen
            return left

    def _elsewhere(self, planned: Sequence[Step]) -> list[Step]:
        """Return where the others are looked for, where a single device with a seldom address was found."""
        finds = [one for one in self._state.finds if one.find.evidence in _ALONE]
        if len({one.key for one in finds}) != 1 or self._subject.limits.is_quick:
            return []
        protocol, address, line = finds[0].find.protocol, finds[0].find.address, finds[0].line
        if address in self._scannings[protocol].rounds[0] or not self._scannings[protocol].rounds[0]:
            return []
        done_keys = {step.key for step in self._state.done}
        return [step for step in seldom_elsewhere(protocol, line, planned) if step.key not in done_keys]

    def _has_found(self, line: LineSettings) -> bool:
        return any(located.line == line and located.find.evidence in _ALONE for located in self._state.finds)

    def _neighbours(self, protocol: str, line: LineSettings, known: set[str]) -> Iterator[Step]:
        """Yield the steps for what may share this line with a protocol, but for known ones."""
        names = self._scannings[protocol].neighbours
        scannings = {name: self._scannings[name] for name in names if name in self._scannings}
        limits = replace(self._subject.limits, line=line)
        try:
            yield from (step for step in steps(scannings, limits) if step.key not in known)
        except ValueError:  # they have none of the addresses that a person has chosen
            return

    async def _take(self, step: Step) -> None:
        """Carry out one step: the search of one protocol at one line setting."""
        scanning = self._scannings[step.protocol]
        assert scanning.search is not None
        scope = self._without_known(step)
        if step.scope.addresses and not scope.addresses:
            return
        await self._conduct(step, scanning.search(scope), len(scope.addresses) or scanning.requests)

    async def _identify(self, step: Step) -> None:
        """Learn which devices these are that were found with the protocol and the line settings of a step."""
        scanning = self._scannings[step.protocol]
        present = {
            one.key: one.find.address
            for one in self._state.finds
            if (one.find.protocol, one.line) == step.place and one.find.trouble is None
            if one.find.evidence in _ALONE and one.key not in self._state.identified
        }
        if scanning.identify is None or not present:
            return
        self._state.identified |= set(present)
        scope = replace(step.scope, addresses=tuple(present.values()))
        await self._conduct(step, scanning.identify(scope), len(present))

    async def _conduct(self, step: Step, search: Search, total: int) -> None:
        """Send the requests of a search, and note its finds."""
        line, heard, asked = step.scope.line, Heard(), set[str]()
        framer = self._subject.protocols[step.protocol].framer
        try:
            item = next(search)
            while True:
                if isinstance(item, Find):
                    self._note(item, line)
                    heard = Heard()
                else:
                    asked.add(item.address)
                    self._tell(step, item, min(1.0, len(asked) / max(1, total)))
                    heard = await self._heard(item, line, framer)
                item = search.send(heard)
        except StopIteration:
            pass
        except ProtocolError as error:  # what is heard must not end a scan
            _log.warning("%s at %s: %s", step.protocol, line, error)

    def _without_known(self, step: Step) -> Scope:
        """Return the scope of a step without the addresses that answer at the same speed already.

        Some devices, and every pseudo terminal, do not heed parity.
        """
        known = {
            one.find.address
            for one in self._state.finds
            if one.find.protocol == step.protocol and one.line.baudrate == step.scope.line.baudrate
        }
        addresses = tuple(address for address in step.scope.addresses if address not in known)
        return replace(step.scope, addresses=addresses)

    async def _heard(self, probe: Probe, line: LineSettings, framer: Callable[[], Framer]) -> Heard:
        return await self._asker.ask(probe, line, framer)

    def _tell(self, step: Step, probe: Probe, share: float) -> None:
        title = self._subject.protocols[step.protocol].title
        address = f", address {probe.address}" if probe.address else ""
        left_s = self._left_s + (1 - share) * step.cost_s
        done = 1 - left_s / self._work_s if self._work_s else 1.0
        self._watcher.progress(
            Progress(f"{title} at {step.scope.line}{address}", left_s, max(0.0, min(1.0, done)))
        )

    def _note(self, find: Find, line: LineSettings) -> None:
        located = Located(find, line, _now() - self._begun)
        self._state.finds.append(located)
        self._watcher.found(located)


def _unique(lines: Iterable[LineSettings]) -> list[LineSettings]:
    return list(dict.fromkeys(lines))


def _now() -> float:
    return asyncio.get_running_loop().time()
