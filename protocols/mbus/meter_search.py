"""How a line is searched for meters: by their secondary addresses, by primary ones where that brings nobody.

    selection of everybody       whoever is selected acknowledges (E5); read, it says who it is
    SND_NKE to 254               every meter acknowledges, those without a secondary address too

Where neither is answered, nobody is here with this line setting. Else the secondary addresses are searched
as a tree (`secondary_search`), and each meter is read twice before it is claimed. The search by primary
addresses, 0 to 250, follows only where a meter answers 254 that no selection reaches; or it is asked for.

Several meters acknowledge at once, garbled or as one clean E5: that alone proves nothing. Who is read sends a
telegram that is whole only if nobody else does. Two meters with one primary address are told so, and found
by their secondary addresses.

An acknowledgement does not say whose it is: one that comes late is taken for the answer to the next request.
So the first request that everybody answers is listened to for longer, and where somebody answers after the
time that EN 13757-2 allows, every request is waited for so long.

Nothing is changed in a meter: a selection and SND_NKE concern the link alone.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Final

from protocols.mbus import application, link, secondary_search
from protocols.mbus.link import Message
from protocols.mbus.meter_finds import meter, primary_meter, silent_meter, tied, two_at
from protocols.mbus.search_requests import data, reset, selection
from protocols.mbus.secondary import Secondary
from protocols.mbus.secondary_search import ANYBODY, Answer, Nobody, One, Selection, Several
from protocols.toolkit.polling import Request
from protocols.toolkit.scanning import Find, Heard, Probe, Scope, Search

LAST_PRIMARY: Final = 250
_TRIES: Final = 5  # to read a meter twice
_FRAGMENT: Final = 9  # octets of a shortest telegram: fewer are noise, and no two meters at once
_STRAY: Final = 4  # octets beside a whole telegram that are noise, and no other meter
_ANSWER_BITS: Final = 330  # EN 13757-2: a meter answers within 330 bit times and 50 ms
_ANSWER_S: Final = 0.05
_SLACK_S: Final = 0.05  # for the adapter
_LATE_S: Final = 1.0  # few meters, behind a radio link or a repeater, take longer
_LATE_SHARE: Final = 1.3  # of the latest answer, for the next


Step = Generator[Probe | Find, Heard, Answer]


@dataclass(slots=True)
class Searcher:
    """One search.

    Attributes:
        scope: what it covers.
        known_meters: the meters that were claimed, with their primary addresses.
        is_noisy: octets were heard where nobody answered: who seems to be several is asked once more.
        late_s: how long the latest answer took, if that is longer than a meter may take.
    """

    scope: Scope
    known_meters: dict[Secondary, int] = field(default_factory=dict)
    is_noisy: bool = False
    late_s: float = 0.0
    _several: set[Secondary] = field(default_factory=set)  # patterns that several meters seemed to answer

    def search(self) -> Search:
        """Search a line."""
        if self.scope.addresses:
            yield from self.primary(self.scope.addresses)
        else:
            yield from self.everybody()

    def everybody(self) -> Search:
        """Search by secondary addresses, and by primary ones if that brings nobody."""
        if not (yield from self._is_somebody_here()):
            return
        walk = secondary_search.walk()
        step = next(walk)
        while True:
            answer = yield from self._select(step)
            try:
                step = walk.send(answer)
            except StopIteration as over:
                tied_patterns: Sequence[Secondary] = over.value or ()
                break
        for pattern in tied_patterns:
            yield tied(pattern)
        if self.known_meters or tied_patterns:
            return
        heard = yield self._probe(reset(link.ANY_METER), "")
        if not heard.is_silent:
            yield from self.primary([str(number) for number in range(LAST_PRIMARY + 1)])

    def primary(self, addresses: Sequence[str]) -> Search:
        """Ask each of these primary addresses."""
        if len(addresses) > 1:
            self._learn_who_is_late((yield Probe(reset(link.ANY_METER), "", self.answer_s, _LATE_S)))
        for address in addresses:
            yield from self._ask_primary(int(address))

    def _is_somebody_here(self) -> Generator[Probe | Find, Heard, bool]:
        """Return whether anything answers with this line setting, more than once."""
        for request in (selection(ANYBODY), reset(link.ANY_METER)):
            heard = yield Probe(request, "", self.answer_s, _LATE_S)
            if heard.is_silent:
                continue
            if heard.frame is None:  # several at once, or noise
                heard = yield Probe(request, "", max(self.answer_s, _LATE_S), _LATE_S)
            if not heard.is_silent:
                self._learn_who_is_late(heard)
                return True
        return False

    def _learn_who_is_late(self, heard: Heard) -> None:
        """Take what was heard after a request that everybody answers."""
        if heard.last_octet_s > self.answer_s:
            self.late_s = heard.last_octet_s

    @property
    def answer_s(self) -> float:
        """Return how long a meter may take to answer at the speed of the line, in seconds."""
        allowed_s = _ANSWER_BITS / self.scope.line.baudrate + _ANSWER_S + _SLACK_S
        return max(allowed_s, self.scope.reply_within_s)

    def _select(self, step: Selection) -> Step:
        """Select, and read whoever acknowledges; claim a meter that is alone."""
        pattern = step.pattern
        heard = yield self._probe(selection(pattern), str(pattern))
        if heard.is_silent:
            answer: Answer = Nobody()
        elif step.is_census or (heard.frame is None and not self.is_noisy):
            answer = Several()
        else:
            answer = yield from self._read_selected(pattern)
        if not step.is_census:
            self.is_noisy = self.is_noisy or (pattern in self._several and not isinstance(answer, Several))
            self._several |= {pattern} if isinstance(answer, Several) else set()
        return answer

    def _read_selected(self, pattern: Secondary) -> Step:
        """Read twice who acknowledged a selection."""
        telegrams: list[Message] = []
        for tries in range(_TRIES):
            heard = yield self._probe(data(link.SELECTED), str(pattern), lingers=not telegrams)
            message = _alone(heard)
            if message is not None:
                telegrams.append(message)
            elif tries and heard.is_silent and not telegrams:
                return Nobody()
            elif not heard.is_silent and not self.is_noisy:
                return Several()
            if len(telegrams) == 2:
                return (yield from self._claim(pattern, telegrams))
        return Several() if telegrams or not heard.is_silent else Nobody()

    def _claim(self, pattern: Secondary, telegrams: Sequence[Message]) -> Step:
        """Claim the meter that sent two telegrams alone, if both say the same of it."""
        first, second = map(application.secondary_of, telegrams)
        if first is None and "f" not in pattern.id:
            first = pattern  # it confirmed its selection
        if first is None or second not in (None, first):
            return Several()
        if first not in self.known_meters:
            is_shared = telegrams[0].a in self.known_meters.values()
            self.known_meters[first] = telegrams[0].a
            yield meter(first, telegrams[0], has_twin=pattern.medium is not None, is_shared=is_shared)
        return One(first)

    def _ask_primary(self, number: int) -> Search:
        """Ask a primary address whether a meter is there, and read it twice."""
        heard = yield self._probe(reset(number), str(number))
        if heard.is_silent:
            return
        has_acknowledged = heard.frame is not None
        telegrams: list[Message] = []
        fragments = 0
        for _ in range(_TRIES):
            heard = yield self._probe(data(number), str(number), lingers=not telegrams)
            message = _alone(heard)
            telegrams += [message] if message else []
            fragments += message is None and len(heard.octets) >= _FRAGMENT
            if len(telegrams) == 2 or (heard.is_silent and not has_acknowledged):
                break
        if len(telegrams) == 2:
            first, second = map(application.secondary_of, telegrams)
            yield primary_meter(number, first, telegrams[0]) if first == second else two_at(number)
        elif fragments > 1:
            yield two_at(number)
        elif has_acknowledged and (yield from self._acknowledges(number)):
            yield silent_meter(number)

    def _acknowledges(self, number: int) -> Generator[Probe | Find, Heard, bool]:
        """Return whether an address acknowledges again, with nothing beside it."""
        heard = yield self._probe(reset(number), str(number))
        return heard.octets == link.ACKNOWLEDGEMENT

    def _probe(self, request: Request, address: str, *, lingers: bool = False) -> Probe:
        """Return a request with its time-out; `lingers`: another meter's reply behind the first is heard."""
        reply_within_s = max(self.answer_s, _LATE_SHARE * self.late_s)
        return Probe(request, address, reply_within_s, reply_within_s if lingers else 0.0)


def _alone(heard: Heard) -> Message | None:
    """Return the message of a meter that answered alone; None if several did, or nobody."""
    if heard.frame is None or heard.others:
        return None
    if len(heard.octets) - len(heard.frame.data) > _STRAY:
        return None
    return link.parse(heard.frame)
