"""How a line is searched for batteries: the master, 2, then those behind it, until two are silent."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Final

from protocols.pylontech import analog, frame
from protocols.pylontech.battery import Battery, PackSettings
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import (
    Evidence,
    Find,
    Heard,
    Probe,
    Scanning,
    Scope,
    Search,
    Trouble,
    numbers_in,
)

PROTOCOL: Final = "pylontech"
MASTER: Final = 2
_LAST: Final = 17  # of a stack; the document has 16 batteries
_MOST_SILENCES: Final = 2  # in a row: one battery may be switched off
_TRIES: Final = 3  # for two replies
_VOLTS: Final = (10.0, 100.0)
_REPLY_S: Final = 0.4
_LATE_REPLY_S: Final = 1.2  # once a battery has answered: who is asked next may be slower


def search(scope: Scope) -> Search:
    """Search a line with the settings of a scope."""
    if scope.addresses:
        for address in scope.addresses:
            yield from _ask(int(address), scope)
        return
    silent_numbers: list[int] = []
    silences, patient = 0, replace(scope, reply_within_s=max(_LATE_REPLY_S, scope.reply_within_s))
    for number in range(MASTER, _LAST + 1):
        is_there = yield from _ask(number, scope)
        silences = 0 if is_there else silences + 1
        if silences == _MOST_SILENCES:
            return
        if not is_there and scope is not patient:
            silent_numbers.append(number)
        if is_there:
            scope = patient
            while silent_numbers:
                yield from _ask(silent_numbers.pop(), scope)


def addressed(text: str) -> tuple[str, ...]:
    """Return the numbers in a text such as "2-5". Raises ValueError as of `numbers_in`."""
    return numbers_in(text, 1, 255)


def _ask(number: int, scope: Scope) -> Generator[Probe | Find, Heard, bool]:
    """Ask a battery for its analog value, twice; return whether it answers."""
    (request,) = Battery([PackSettings(number, ("voltage",), {})], scope.line).planned()
    volts: list[float] = []
    code = frame.NORMAL
    fragments = 0
    for tries in range(_TRIES):
        heard = yield Probe(request, str(number), max(_REPLY_S, scope.reply_within_s))
        if heard.is_silent and not tries:
            return False
        fragments += heard.frame is None and len(heard.octets) >= frame.SHORTEST
        if heard.frame is not None:
            code = frame.code(heard.frame)
            volts += [analog.read(frame.info(heard.frame))["voltage"]] if code == frame.NORMAL else []
        if len(volts) == 2 or code != frame.NORMAL:
            break
    if code != frame.NORMAL:
        yield _find(number, Evidence.REFUSES, f"it refuses: {frame.refusal(code)}")
    elif len(volts) == 2 and all(_VOLTS[0] <= each <= _VOLTS[1] for each in volts):
        yield _find(number, Evidence.IDENTIFIED, f"it answered twice: voltage {volts[-1]}")
    elif volts:
        yield _find(number, Evidence.ANSWERS, f"it answers, but not as a battery should: {volts[-1]} V")
    elif fragments < 2:
        return False
    else:
        reason = "no reply is whole: two batteries seem to have this address, compare their switches"
        yield _find(number, Evidence.GARBLED, reason)
    return True


def _find(number: int, evidence: Evidence, reason: str) -> Find:
    return Find(
        protocol=PROTOCOL,
        address=str(number),
        evidence=evidence,
        confidence=1.0 if evidence is Evidence.IDENTIFIED else None,
        trouble=Trouble.TWO_DEVICES if evidence is Evidence.GARBLED else None,
        reasons=(reason,),
        keys={"address": number},
    )


SCANNING: Final = Scanning(
    lines=(LineSettings(115200, 8, "N", 1), LineSettings(9600, 8, "N", 1)),
    search=search,
    reply_within_s=_REPLY_S,
    probe_octets=frame.SHORTEST + 2,
    addressed=addressed,
    has_own_line=True,
)
