"""How an unknown line is searched: what a protocol asks to learn who is there, and what it found.

A search is a generator, as a poll is:

    step = next(search)              a `Probe`: the bridge sends its request, listens for `reply_within_s`
    step = search.send(Heard(…))     what was heard meanwhile: the reply, other frames, every octet
    step = search.send(Heard())      after a `Find`, which the bridge hands on at once

A `Find` takes the place of what was told before of its address: who answers may be told of at once, and be
claimed later.

The bridge decides on line settings, on the order of protocols, and on when a line is given up; a protocol
decides what to ask an address and what its answers prove. Nothing asked in a search may write.

**Evidence, not guesses.** An address is `answers` or `refuses` after one good frame of its own. A claim
(`identified`) needs two consistent answers, and a model claims only if it beats the second best clearly
(`claim_of`): else the best three are its rivals. No claim is better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Request

CLEAR_CONFIDENCE: Final = 0.8
"""The least confidence with which a model is claimed."""

CLEAR_LEAD: Final = 0.2
"""By so much a model must beat the second best."""

MOST_RIVALS: Final = 3
_DIGITS_MOST: Final = 9  # of a number that is looked at at all


class Evidence(StrEnum):
    """What is known of a place on a line, the strongest first."""

    IDENTIFIED = "identified"  # a model, or what the device says that it is
    ANSWERS = "answers"  # with a good reply
    REFUSES = "refuses"  # with a good frame that says no
    GARBLED = "garbled"  # something is here, but no frame is whole
    HEARD = "heard"  # it speaks unasked, or answers another master

    @property
    def rank(self) -> int:
        """Return how weak the evidence is: 0 for the strongest."""
        return list(Evidence).index(self)


class Trouble(StrEnum):
    """What is wrong where something is here, by the names of its cause in the bridge's table of sentences."""

    TWO_DEVICES = "two devices"  # on one address
    DAMAGED = "damaged"  # its frames have a wrong checksum
    NOISE = "noise"  # octets that make no frame: another parity, or two devices at once
    OTHER_MASTER = "other master"


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """One device, or what is known of it.

    Attributes:
        protocol: its name in site.toml.
        address: in the protocol's words, as site.toml would show it; "" if it has none.
        evidence: how sure it is.
        model: the model for site.toml; None: none is claimed, or the protocol needs none.
        confidence: of the claim, 0–1; None if nothing is claimed.
        reasons: why, one plain sentence each; the first is the one to show.
        rivals: the best models with their confidence, where none is claimed.
        keys: the sensor's own keys for its block in site.toml, as far as they are known.
        identity: what the device says of itself: maker, type, serial, version.
        trouble: what is wrong with it, if anything is.
    """

    protocol: str
    address: str
    evidence: Evidence
    model: str | None = None
    confidence: float | None = None
    reasons: tuple[str, ...] = ()
    rivals: tuple[tuple[str, float], ...] = ()
    keys: Mapping[str, object] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One request of a search.

    Attributes:
        request: what is sent; `request.line` and `request.reply_line` as in a poll.
        address: who is asked, for the person who watches; "" if nobody in particular.
        reply_within_s: from the end of the request to the first octet of the reply. It may be short: what
            comes later stands in the `others` of the next `Heard`.
        linger_s: how long the line is listened to after the reply, for a second device that answers too.
        waits_out: it is listened to for all of `reply_within_s`, too: so long a second device has to begin.
    """

    request: Request
    address: str = ""
    reply_within_s: float = 0.3
    linger_s: float = 0.0
    waits_out: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard since the last request went out, without its echo.

    Attributes:
        frame: the reply that the request accepts, the first if there were several.
        others: every other good frame: late replies, a second device's, another master's.
        octets: everything, noise included; b"": the line was silent.
        turn_around_s: from the end of the request to the first octet; 0.0 if the line was silent.
        last_octet_s: from the end of the request to the last octet; the same.
    """

    frame: Frame | None = None
    others: tuple[Frame, ...] = ()
    octets: bytes = b""
    turn_around_s: float = 0.0
    last_octet_s: float = 0.0

    @property
    def is_silent(self) -> bool:
        """Return whether nothing at all was heard."""
        return not self.octets


Search: TypeAlias = Generator[Probe | Find, Heard, None]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search is to cover.

    Attributes:
        line: the line settings in force.
        addresses: whom to ask, in this order; () where the protocol finds addresses by itself.
        reply_within_s: how long a silent address may cost; a device that answered once is waited for longer.
        is_quick: identify no further than a few requests tell.
    """

    line: LineSettings
    addresses: tuple[str, ...] = ()
    reply_within_s: float = 0.3
    is_quick: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanning:
    """How a protocol is searched for.

    Attributes:
        lines: the line settings to try, the most likely first.
        rounds: addresses to ask, the likely ones first. Each round goes over all line settings before the
            next one begins. ((),): one round that needs no addresses (a broadcast, a tree, a single device).
        reply_within_s: what a silent address costs in the first pass, beside the wire time.
        slow_reply_within_s: the same in the second pass, where something was heard; 0: there is no second.
        search: makes the search of a scope. None: its sensors only push.
        identify: makes the search that learns which devices these are: the addresses of its scope, which
            answer. It comes when all addresses were asked, so that a person soon sees who is there. None:
            `search` tells all.
        passive: returns what frames tell that were heard while only listening, in their order; nothing where
            they are another protocol's, whose frames look alike. None: what all pushing sensors prove.
        neighbours: protocols whose devices are found on one line with its own: the line settings at which one
            is found are tried for the others too.
        has_own_line: its devices have these line settings and no others: they are not looked for at another
            one that a person names, unless nothing else is.
        probe_octets: octets of a request to an address, to reckon how long a search takes.
        requests: how many requests a round without addresses takes on a silent line.
        addressed: returns the addresses in a text such as "1-20,33", as a person types it. None: the option
            `--addresses` does not concern this protocol. Raises ValueError: it has none of its addresses.
        weight: how often it is met, beside the others.
    """

    lines: tuple[LineSettings, ...]
    rounds: tuple[tuple[str, ...], ...] = ((),)
    reply_within_s: float = 0.3
    slow_reply_within_s: float = 0.0
    search: Callable[[Scope], Search] | None = None
    identify: Callable[[Scope], Search] | None = None
    passive: Callable[[Sequence[Frame]], Sequence[Find]] | None = None
    neighbours: tuple[str, ...] = ()
    has_own_line: bool = False
    probe_octets: int = 8
    requests: int = 1
    addressed: Callable[[str], tuple[str, ...]] | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The outcome of comparing models.

    Attributes:
        model: the one that is claimed; None: none wins clearly.
        confidence: of the best; None if there is none.
        rivals: the best, where none is claimed.
    """

    model: str | None = None
    confidence: float | None = None
    rivals: tuple[tuple[str, float], ...] = ()


def claim_of(scores: Mapping[str, float]) -> Claim:
    """Return which model may be claimed, by the confidence (0–1) of each: only one that wins clearly."""
    ranking = sorted(((name, score) for name, score in scores.items() if score > 0), key=_by_score)
    if not ranking:
        return Claim()
    (best, confidence), second = ranking[0], ranking[1][1] if len(ranking) > 1 else 0.0
    if confidence >= CLEAR_CONFIDENCE and confidence - second >= CLEAR_LEAD:
        return Claim(best, confidence)
    return Claim(None, None, tuple(ranking[:MOST_RIVALS]))


def _by_score(entry: tuple[str, float]) -> tuple[float, str]:
    return -entry[1], entry[0]


def numbers_in(text: str, first: int, last: int) -> tuple[str, ...]:
    """Return the numbers in a text such as "1-20,33", each once, in the order of the text.

    Raises:
        ValueError: it is no such text, a number lies outside `first` to `last`, or a range runs backwards.
    """
    numbers: list[int] = []
    for part in map(str.strip, text.split(",")):
        ends = [end.strip() for end in part.split("-", 1)]
        if not all(end.isascii() and end.isdecimal() for end in ends):
            raise ValueError(f'"{part}" is no address, write numbers and ranges: "1-20,33"')
        for end in ends:
            if len(end) > _DIGITS_MOST or not first <= int(end) <= last:
                raise ValueError(f"{end[:_DIGITS_MOST]} is no address here, use {first}–{last}")
        low, high = int(ends[0]), int(ends[-1])
        if low > high:
            raise ValueError(f'"{part}" runs backwards, write the smaller number first: "{high}-{low}"')
        numbers += range(low, high + 1)
    return tuple(map(str, dict.fromkeys(numbers)))
