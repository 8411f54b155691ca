"""Which device a Modbus unit is: what it says of itself, then what the models say of theirs.

    0x2B/0x0E read device identification  ─┐
    0x11 report server ID                 ─┼▶ maker, type, version
    "SunS" and the common model           ─┘▶ SunSpec: nothing more needs to be known
    fingerprints of the models            ──▶ a claim, if exactly one model holds
    plausibility of what maps would read  ──▶ rivals, never a claim: siblings and strangers share maps

Every claim rests on two readings that are equal. All requests read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from protocols.modbus import pdu
from protocols.modbus.candidates import MOST_WITNESSES, Candidates, likelihood
from protocols.modbus.models import Model
from protocols.modbus.registers import Register, Table, octets_of
from protocols.modbus.sunspec.choice import NAME as SUNSPEC
from protocols.modbus.sunspec.walk import BASES, COMMON, MARK
from protocols.modbus.unit_memory import Asking, UnitMemory
from protocols.toolkit.scaling import Missing
from protocols.toolkit.scanning import Claim, claim_of

_PARTS: Final = ("maker", "type", "version")  # the basic objects 0–2 of 0x2B/0x0E, §6.21
_MOST_TEXT: Final = 60
_COMMON_WORDS: Final = 66  # header 2, Mn 16, Md 16, Opt 8, Vr 8, SN 16
_COMMON_TEXTS: Final = (("maker", 2, 16), ("type", 18, 16), ("version", 42, 8), ("serial", 50, 16))

_BY_FINGERPRINT: Final = 0.9
_BY_MORE: Final = 0.05
_SUFFICIENT: Final = 2  # so strong a fingerprint needs no support
_BY_SUPPORTED: Final = 0.85
_LIKELY_SHARE: Final = 0.6  # of the values of a map; a meter at rest has zeros
_BY_WEAK: Final = 0.7  # below what may be claimed
_BY_PLAUSIBILITY: Final = 0.6
_LEAST_SCORE: Final = 0.25  # less is no hint
_MOST_READS: Final = 16  # for the sake of plausibility


@dataclass(slots=True)
class Identification:
    """What was learned of one unit.

    Attributes:
        identity: what it says of itself.
        claim: which model it is, or the rivals.
        reasons: why, a sentence each.
    """

    identity: dict[str, str] = field(default_factory=dict)
    claim: Claim = field(default_factory=Claim)
    reasons: list[str] = field(default_factory=list)


def identify(unit: UnitMemory, candidates: Candidates, *, is_quick: bool) -> Asking[Identification]:
    """Learn which device a unit is.

    Args:
        unit: it, present.
        candidates: the models that may be it.
        is_quick: ask for what it says of itself and for fingerprints only.
    """
    result = Identification()
    yield from _say_themselves(unit, result)
    if (yield from _sunspec(unit, result)):
        return result
    scores = yield from _scores(unit, candidates, result, is_quick=is_quick)
    result.claim = claim_of(scores)
    if result.claim.model is not None:
        title = candidates.titles[result.claim.model]
        result.reasons.insert(0, f"its fingerprint is that of {title}, read twice, and of no other model")
    elif result.claim.rivals:
        result.reasons.append("the maps of these models give plausible values; more than one may")
    return result


def _say_themselves(unit: UnitMemory, result: Identification) -> Asking[None]:
    """Ask for the device identification, else for the server ID; two equal readings count."""
    body = pdu.REQUESTS[pdu.ENCAPSULATED_INTERFACE].build(
        function=pdu.ENCAPSULATED_INTERFACE, read_code=1, object_id=0
    )
    reply = yield from _twice(unit, body, "device identification")
    if reply is not None:
        objects = pdu.REPLIES[reply[0]].parse(reply)["objects"]
        texts = {item["id"]: _text(item["value"]) for item in objects}
        result.identity |= {part: texts[at] for at, part in enumerate(_PARTS) if texts.get(at)}
        if result.identity:
            result.reasons.append(
                f"says that it is {' '.join(result.identity.values())} (function 0x2B/0x0E)"
            )
        return
    reply = yield from _twice(unit, bytes((pdu.REPORT_SERVER_ID,)), "server ID")
    if reply is not None and (text := _text(reply[2:])):
        result.identity["type"] = text
        result.reasons.append(f'says "{text}" (function 0x11)')


def _twice(unit: UnitMemory, body: bytes, summary: str) -> Asking[bytes | None]:
    first = yield from unit.data(body, summary)
    if first is None:
        return None
    second = yield from unit.data(body, summary)
    return first if first == second else None


def _sunspec(unit: UnitMemory, result: Identification) -> Asking[bool]:
    """Return whether the unit carries "SunS"; its common model names it."""
    for base in BASES:
        mark = yield from unit.words(Table.HOLDING, base, 2)
        if mark != MARK or (yield from unit.words(Table.HOLDING, base, 2, is_anew=True)) != MARK:
            continue
        common = yield from unit.words(Table.HOLDING, base + 2, _COMMON_WORDS)
        if common is not None and int.from_bytes(common[:2], "big") == COMMON:
            texts = {part: _text(common[2 * at : 2 * (at + words)]) for part, at, words in _COMMON_TEXTS}
            result.identity |= {part: text for part, text in texts.items() if text}
        result.claim = Claim(SUNSPEC, 0.99)
        names = " ".join(result.identity.get(part, "") for part in ("maker", "type", "serial")).strip()
        result.reasons.insert(0, f'carries "SunS" at {base}, so it is a SunSpec device: {names or "unnamed"}')
        return True
    return False


def _scores(
    unit: UnitMemory, candidates: Candidates, result: Identification, *, is_quick: bool
) -> Asking[dict[str, float]]:
    """Return the confidence that the unit is of each model."""
    said = " ".join(result.identity.values())
    scores: dict[str, float] = {}
    for model in candidates.known:
        score = yield from _by_fingerprint(unit, model, candidates.witnesses_of[model.name], said)
        if score:
            scores[model.name] = score
    if not is_quick and not unit.is_lost and max(scores.values(), default=0.0) < _BY_FINGERPRINT:
        most = unit.reads + _MOST_READS
        for name, witnesses in candidates.witnesses:
            score = yield from _by_plausibility(unit, witnesses, is_known_only=unit.reads >= most)
            if score >= _LEAST_SCORE:
                scores[name] = score
    return scores


def _by_fingerprint(
    unit: UnitMemory, model: Model, witnesses: Sequence[Register], said: str
) -> Asking[float]:
    """Return the confidence by the fingerprint of a model; 0 if any of it does not hold."""
    fingerprint = model.fingerprint
    if fingerprint.identity is not None and not fingerprint.identity.search(said):
        return 0.0
    strength = 0
    for is_anew in (False, True):
        strength = fingerprint.weight_of_identity
        for trait in sorted(fingerprint.traits, key=lambda trait: -trait.weight):
            value = yield from unit.value(trait.register, is_anew=is_anew)
            if value is None or not trait.holds(value):
                return 0.0
            strength += trait.weight_of(value)
    if strength >= _SUFFICIENT:
        return min(0.99, _BY_FINGERPRINT + _BY_MORE * (strength - _SUFFICIENT))
    if strength and witnesses:
        likely = yield from _likely_share(unit, witnesses, is_known_only=False)
        return _BY_SUPPORTED if likely >= _LIKELY_SHARE else _BY_WEAK
    return _BY_WEAK


def _by_plausibility(
    unit: UnitMemory, witnesses: Sequence[Register], *, is_known_only: bool
) -> Asking[float]:
    """Return how well the map of a model reads this unit, at most `_BY_PLAUSIBILITY`; as `_likely_share`."""
    likely = yield from _likely_share(unit, witnesses, is_known_only=is_known_only)
    return round(_BY_PLAUSIBILITY * likely**2 * min(1.0, len(witnesses) / MOST_WITNESSES), 2)


def _likely_share(unit: UnitMemory, witnesses: Sequence[Register], *, is_known_only: bool) -> Asking[float]:
    """Return which share of these registers has a likely value.

    `is_known_only`: read nothing for it; 0 if that is needed.
    """
    start, end = witnesses[0].start, max(register.end for register in witnesses)
    table = witnesses[0].table
    if is_known_only and not unit.knows(table, start, end - start):
        return 0.0
    octets = yield from unit.words(table, start, end - start)
    if octets is None:
        return 0.0
    marks = []
    for register in witnesses:
        value = register.value(octets_of(table, octets, register.start - start, register.words))
        marks.append(0.0 if isinstance(value, Missing) else likelihood(register, value))
    return sum(marks) / len(marks)


def _text(octets: bytes) -> str:
    """Return the printable text in octets, shortened."""
    text = octets.decode("latin-1")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MOST_TEXT]
