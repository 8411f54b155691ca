"""A search on the line of a bus in service: `scan` asks here, some addresses at a time.

The search itself is the protocol's (`protocols.toolkit.scanning`). Each of its requests goes through the
reader's queue like that of `try`, when no sensor of the bus is due. What the line hears instead of a reply is
handed on, and so are frames that come late or twice, whoever heard them: as on a free line they tell a slow
device, a damaged reply and two devices with one address. Only noise beside a good reply is not seen here.

    query     one line of JSON: {"search": {…}}, a `SearchQuery`
    answer    one line of JSON: {"answer": finds}, or {"error": a sentence}
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Hashable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypedDict

from bridge.causes import Cause
from bridge.errors import NoReply
from bridge.event_loop import call_in_thread
from bridge.line import Reply
from bridge.line.second_reply import WATCH_S
from bridge.reader.attempt import OtherSettings, Query
from bridge.reader.lending import Borrower, Loans
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Request
from protocols.toolkit.protocol import PolledProtocol, Settings
from protocols.toolkit.scanning import Evidence, Find, Heard, Probe, Scope, Search, Trouble

if TYPE_CHECKING:
    from bridge.config import Bus

MOST_ADDRESSES: Final = 32
_WAIT_S: Final = 0.15  # others wait for the line meanwhile, so nobody is asked in a hurry …
_SHARE: Final = 0.3  # … if the quickest sensor of the bus leaves so much of its time
_HELD_S: Final = 2.0  # the line holds the same request back for less where a reply to it was damaged
_LOOK_EVERY_S: Final = 0.25


class FindDocument(TypedDict):
    """What is known of one device, as JSON."""

    protocol: str
    address: str
    evidence: str
    model: str | None
    confidence: float | None
    reasons: list[str]
    rivals: dict[str, float]
    keys: dict[str, Any]
    identity: dict[str, str]
    trouble: str | None


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Whom to ask.

    Attributes:
        bus: its name.
        protocol, line: of the bus, as site.toml has them.
        addresses: at most `MOST_ADDRESSES`.
        is_quick: identify no further than a few requests tell.
    """

    bus: str
    protocol: str
    line: str
    addresses: tuple[str, ...]
    is_quick: bool = False

    def text(self) -> str:
        """Return the query as one line of JSON."""
        return json.dumps({"search": asdict(self)})

    @classmethod
    def parse(cls, text: bytes) -> SearchQuery | None:
        """Return the query in a text; None if it is another question.

        Raises:
            ValueError: it is none.
        """
        question = json.loads(text)
        if not isinstance(question, Mapping) or "search" not in question:
            return None
        try:
            keys = dict(question["search"])
            addresses = tuple(map(str, keys.pop("addresses")))
            query = cls(addresses=addresses, **keys)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no query: {error}") from error
        if not 0 < len(addresses) <= MOST_ADDRESSES:
            raise ValueError(f"no query: name 1–{MOST_ADDRESSES} addresses")
        return query


async def search(
    query: SearchQuery, protocol: PolledProtocol[Settings], bus: Bus, loans: Loans
) -> list[FindDocument]:
    """Ask the addresses of a query; return what is known of those that answer.

    Args:
        query: whom to ask.
        protocol: that of the bus.
        bus: the bus.
        loans: the queue of its reader.

    Raises:
        OtherSettings: the bus is read with other settings, or cannot be searched.
        PortLost: the line is lost.
    """
    line = bus.line
    if (query.protocol, query.line) != (protocol.name, str(line)):
        raise OtherSettings(
            f"bus {query.bus} is in service as {protocol.name} at {line}: to scan it otherwise, stop it first"
        )
    scanning = None
    if protocol.scanning is not None:  # reads every model: the sensors of the bus must not wait for that
        scanning = await call_in_thread(protocol.scanning, f"load the search of {protocol.name}")
    if scanning is None or scanning.search is None:
        raise OtherSettings(f"bus {query.bus} speaks {protocol.title}, which cannot be searched")
    quickest_s = min((sensor.every_s for sensor in bus.sensors if sensor.every_s), default=1.0)
    longest_s = max(scanning.reply_within_s, _SHARE * quickest_s)
    scope = Scope(line, query.addresses, min(_WAIT_S, longest_s), query.is_quick)
    finds: dict[str, Find] = {}
    with loans.listening() as overheard:
        asker = _Asker(query, line, longest_s, loans, overheard)
        async for find in asker.conduct(scanning.search(scope)):
            finds[find.address] = find
        present = tuple(find.address for find in finds.values() if find.trouble is None)
        if scanning.identify is not None and present:
            async for find in asker.conduct(scanning.identify(replace(scope, addresses=present))):
                finds[find.address] = find
    return [find_document(find) for find in finds.values()]


class _Asker:
    """Sends the requests of one search, each when the line has room for it.

    What is only waited for is waited for here, while the line is for the others: pauses, the time in which
    the line watches whoever is new for a second reply, and that in which a second device may answer too.

    Args:
        query: whom to ask.
        line: the line settings.
        longest_s: the most that a reply is waited for.
        loans: the queue of the reader.
        overheard: takes the good frames that the line hears and waits for none of.
    """

    def __init__(
        self,
        query: SearchQuery,
        line: LineSettings,
        longest_s: float,
        loans: Loans,
        overheard: deque[Frame],
    ) -> None:
        self._query = query
        self._line = line
        self._longest_s = longest_s
        self._loans = loans
        self._overheard = overheard
        self._watched: set[str] = set()
        self._answered: dict[tuple[str, Hashable], bytes] = {}  # the request of each address and shape

    async def conduct(self, searching: Search) -> AsyncIterator[Find]:
        """Send the requests of a search; yield its finds."""
        heard = Heard()
        try:
            step = next(searching)
            while True:
                if isinstance(step, Find):
                    yield step
                    heard = Heard()
                else:
                    heard = await self.ask(step)
                step = searching.send(heard)
        except StopIteration:
            return

    async def ask(self, probe: Probe) -> Heard:
        """Send one request and return what was heard since the last one."""
        address, data = probe.address, probe.request.data
        alike = self._answered.get((address, probe.request.shape), data)
        is_new = alike != data and address not in self._watched
        await asyncio.sleep(max(probe.request.pause_s, WATCH_S if is_new else 0.0))
        self._watched |= {address} if is_new else set()
        request = replace(probe.request, pause_s=0.0)
        question = Query(
            "scan",
            self._query.bus,
            self._query.protocol,
            self._query.line,
            {},
            reply_timeout_s=min(probe.reply_within_s, self._longest_s),
            retries=0,
            is_patient=True,
        )
        octets = len(request.data) + request.reply_length
        wire_s = self._line.duration_s(octets) + 2 * self._line.frame_gap_s
        try:
            reply = await self._ask_when_clear(Borrower(self._loans, question, wire_s), request, address)
        except NoReply as missing:
            return self._heard(None, missing.octets, missing.turn_around_s)
        if reply is None:
            return Heard()
        self._answered[address, probe.request.shape] = data
        await asyncio.sleep(probe.linger_s)
        return self._heard(reply.frame, reply.frame.data, reply.turn_around_s)

    async def _ask_when_clear(self, borrower: Borrower, request: Request, address: str) -> Reply | None:
        """Ask, again for `_HELD_S` where the line holds a request back: that is no silence of the device."""
        deadline = asyncio.get_running_loop().time() + _HELD_S
        while True:
            try:
                return await borrower.ask(request, address)
            except NoReply as missing:
                if missing.cause is not Cause.HELD or asyncio.get_running_loop().time() >= deadline:
                    raise
            await asyncio.sleep(_LOOK_EVERY_S)

    def _heard(self, reply: Frame | None, octets: bytes, turn_around_s: float) -> Heard:
        """Return what was heard: the reply, or the octets instead of it, and the frames beside them.

        Of these, some may lie in the octets that came instead of a reply.
        """
        others = tuple(self._overheard)
        self._overheard.clear()
        beside = b"".join(frame.data for frame in others if reply is not None or frame.data not in octets)
        return Heard(reply, others, beside + octets, turn_around_s, turn_around_s)


def find_document(find: Find) -> FindDocument:
    """Return a find as JSON."""
    return {
        "protocol": find.protocol,
        "address": find.address,
        "evidence": find.evidence.value,
        "model": find.model,
        "confidence": find.confidence,
        "reasons": list(find.reasons),
        "rivals": dict(find.rivals),
        "keys": dict(find.keys),
        "identity": dict(find.identity),
        "trouble": find.trouble and find.trouble.value,
    }


def find_in(document: Mapping[str, Any]) -> Find:
    """Return the find of a document.

    Raises:
        KeyError, ValueError: it is none.
    """
    return Find(
        protocol=document["protocol"],
        address=document["address"],
        evidence=Evidence(document["evidence"]),
        model=document["model"],
        confidence=document["confidence"],
        reasons=tuple(document["reasons"]),
        rivals=tuple(document["rivals"].items()),
        keys=document["keys"],
        identity=document["identity"],
        trouble=Trouble(document["trouble"]) if document["trouble"] else None,
    )
