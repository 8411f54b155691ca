"""How a line is searched for meters: by their secondary addresses, by primary ones where that brings nobody.

    selection of everybody       whoever is selected acknowledges (E5); read, it says who it is
    SND_NKE to 254               every meter acknowledges, those without a secondary address too

Where neither is answered, nobody is here with this line setting. Else the secondary addresses are searched
as a tree (`secondary_search`). A meter that sends a whole telegram is told of at once; it is claimed when the
tree is done, if it acknowledges a selection of its whole address, or sends the same again. The search by
primary addresses, 0 to 250, follows only where a meter answers 254 that no selection reaches; or it is asked
for.

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
_RESERVED: Final = 252  # EN 13757-2: no meter has this address
_TRIES: Final = 5  # to read a meter twice
_CONFIRMATIONS: Final = 2  # of each kind that are asked for
_FRAGMENT: Final = 9  # octets of a shortest telegram: fewer are noise, and no two meters at once
_STRAY: Final = 4  # octets beside a whole telegram that are noise, and no other meter
_ANSWER_BITS: Final = 330  # EN 13757-2: a meter answers within 330 bit times and 50 ms
_ANSWER_S: Final = 0.05
_SLACK_S: Final = 0.05  # for the adapter
_LINGER_S: Final = 0.02  # so long a USB adapter may keep the octets of another meter
_LATE_S: Final = 1.0  # few meters, behind a radio link or a repeater, take longer
_LATE_SHARE: Final = 1.3  # of the latest answer, for the next

Step = Generator[Probe | Find, Heard, Answer]


@dataclass(slots=True)
class Searcher:
    """One search.

    Attributes:
        scope: what it covers.
        telegrams: of the meters that answered alone, each with the pattern by which the meter was selected.
        is_noisy: octets were heard where nobody answered: who seems to be several is asked once more.
        late_s: how long the latest answer took, if that is longer than a meter may take.
    """

    scope: Scope
    telegrams: dict[Secondary, tuple[Secondary, Message]] = field(default_factory=dict)
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
        heard = yield from self._hear_everybody()
        if heard is None:
            return
        walk = secondary_search.walk()
        step = next(walk)  # the selection of everybody
        answer = yield from self._select(step, None if heard.is_silent else heard)
        while True:
            try:
                step = walk.send(answer)
            except StopIteration as over:
                tied_patterns: Sequence[Secondary] = over.value or ()
                break
            answer = yield from self._select(step)
        yield from self._claim_meters()
        for pattern in tied_patterns:
            yield tied(pattern)
        if self.telegrams or tied_patterns:
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

    def _hear_everybody(self) -> Generator[Probe | Find, Heard, Heard | None]:
        """Ask everybody; return what the selection of everybody brought, or None if nobody is here.

        It is silence where the meters know no selection, but answer the reset of everybody.
        """
        for request in (selection(ANYBODY), reset(link.ANY_METER)):
            heard = yield Probe(request, "", self.answer_s, _LATE_S)
            if heard.is_silent:
                continue
            if heard.frame is None:  # several at once, or noise
                heard = yield Probe(request, "", max(self.answer_s, _LATE_S), _LATE_S)
            if not heard.is_silent:
                self._learn_who_is_late(heard)
                return heard if request.data == selection(ANYBODY).data else Heard()
        return None

    def _learn_who_is_late(self, heard: Heard) -> None:
        """Take what was heard after a request that everybody answers."""
        if heard.last_octet_s > self.answer_s:
            self.late_s = heard.last_octet_s

    @property
    def answer_s(self) -> float:
        """Return how long a meter may take to answer at the speed of the line, in seconds."""
        allowed_s = _ANSWER_BITS / self.scope.line.baudrate + _ANSWER_S + _SLACK_S
        return max(allowed_s, self.scope.reply_within_s)

    def _select(self, step: Selection, heard: Heard | None = None) -> Step:
        """Select, and read whoever acknowledges; claim a meter that is alone.

        Args:
            step: whom to select.
            heard: what the selection has brought; None: it has yet to be made.
        """
        pattern = step.pattern
        if heard is None:
            heard = yield self._probe(selection(pattern), str(pattern))
        # Beside everybody's acknowledgement there is no late one to an earlier selection.
        is_crowd = heard.frame is None or (pattern == ANYBODY and bool(heard.others))
        if heard.is_silent:
            answer: Answer = Nobody()
        elif step.is_census or (is_crowd and not self.is_noisy):
            answer = Several()
        else:
            answer = yield from self._read_selected(pattern)
        if not step.is_census:
            self.is_noisy = self.is_noisy or (pattern in self._several and not isinstance(answer, Several))
            self._several |= {pattern} if isinstance(answer, Several) else set()
        return answer

    def _read_selected(self, pattern: Secondary) -> Step:
        """Read who acknowledged a selection, and tell of a meter that is alone."""
        for tries in range(_TRIES):
            heard = yield self._probe(data(link.SELECTED), str(pattern), lingers=True)
            message = _alone(heard)
            if message is not None:
                return (yield from self._meet(pattern, message))
            if tries and heard.is_silent:
                return Nobody()
            if not heard.is_silent and not self.is_noisy:
                return Several()
        return Several()

    def _meet(self, pattern: Secondary, message: Message) -> Step:
        """Tell of the meter that sent a telegram alone.

        Its address stands there; else it is that of the selection, once all digits are fixed.
        """
        address = application.secondary_of(message)
        if address is None and "f" not in pattern.id:
            address = pattern
        if address is None:
            return Several()
        if address not in self.telegrams:
            self.telegrams[address] = pattern, message
            yield self._find(address, is_confirmed=False)
        return One(address)

    def _claim_meters(self) -> Search:
        """Have each meter confirm who it is."""
        for address, (pattern, message) in self.telegrams.items():
            is_confirmed = yield from self._is_confirmed(address, pattern, message)
            yield self._find(address, is_confirmed=is_confirmed)

    def _is_confirmed(
        self, address: Secondary, pattern: Secondary, message: Message
    ) -> Generator[Probe | Find, Heard, bool]:
        """Return whether a meter acknowledges its whole address, or sends the same address again.

        Some can be selected by their digits alone.
        """
        for _ in range(_CONFIRMATIONS):
            heard = yield self._probe(selection(address), str(address))
            if heard.octets == link.ACKNOWLEDGEMENT:
                return True
        for _ in range(_CONFIRMATIONS):
            yield self._probe(selection(pattern), str(pattern))
            heard = yield self._probe(data(link.SELECTED), str(pattern), lingers=True)
            again = _alone(heard)
            if again is not None and application.secondary_of(again) == application.secondary_of(message):
                return True
        return False

    def _find(self, address: Secondary, *, is_confirmed: bool) -> Find:
        """Return what is known of a meter."""
        pattern, message = self.telegrams[address]
        return meter(
            address,
            message,
            is_confirmed=is_confirmed,
            has_twin=pattern.medium is not None,
            is_shared=any(
                other.a == message.a and other is not message for _, other in self.telegrams.values()
            ),
        )

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
        elif fragments == _TRIES and (has_acknowledged or (yield from self._is_nobody_heard())):
            yield two_at(number)
        elif has_acknowledged and (yield from self._acknowledges(number)):
            yield silent_meter(number)

    def _is_nobody_heard(self) -> Generator[Probe | Find, Heard, bool]:
        """Return whether the line is silent where nobody can answer: else noise may look like two meters."""
        for _ in range(_TRIES):
            heard = yield self._probe(reset(_RESERVED), "")
            if not heard.is_silent:
                return False
        return True

    def _acknowledges(self, number: int) -> Generator[Probe | Find, Heard, bool]:
        """Return whether an address acknowledges again, with nothing beside it."""
        heard = yield self._probe(reset(number), str(number))
        return heard.octets == link.ACKNOWLEDGEMENT

    def _probe(self, request: Request, address: str, *, lingers: bool = False) -> Probe:
        """Return a request with its time-out; `lingers`: another meter's reply behind the first is heard."""
        reply_within_s = max(self.answer_s, _LATE_SHARE * self.late_s)
        return Probe(request, address, reply_within_s, _LINGER_S if lingers else 0.0, waits_out=lingers)


def _alone(heard: Heard) -> Message | None:
    """Return the message of a meter that answered alone; None if several did, or nobody."""
    if heard.frame is None or heard.others:
        return None
    if len(heard.octets) - len(heard.frame.data) > _STRAY:
        return None
    return link.parse(heard.frame)
