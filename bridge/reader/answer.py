"""The answer to an attempt at a sensor: the document of `try --json`, whichever process asked the sensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypedDict

from bridge.causes import of_refusal
from bridge.reader.doubt import all_zero, doubts, explained
from bridge.reader.poll import Outcome
from protocols.toolkit.polling import PollResult, Values
from protocols.toolkit.protocol import PolledProtocol, Protocol, Settings


class Exchange(TypedDict):
    """One request of an attempt."""

    request: str  # in words
    sent: str  # hex
    reply: str | None  # hex; None if none came
    turn_around_ms: float | None


class Answer(TypedDict):
    """What an attempt at a sensor brought."""

    sensor: str
    bus: str
    values: Values
    units: dict[str, str]
    raw: dict[str, str]  # what stands behind each value, where its protocol can say
    missing: dict[str, str]  # the keys without a value, each with the reason
    doubts: dict[str, str]  # of values that cannot be: a sentence, with the likely reading
    complete: bool  # no request was left unanswered or refused
    asked: list[Exchange]
    refusals: list[str]
    remarks: list[str]  # what was heard beside the replies, each with the next step
    out_of_limits: int  # how many values lay outside their `min` and `max`
    silence: str | None  # why no value came, and what to look at next


def empty_answer(sensor: str, bus: str) -> Answer:
    """Return the answer of a sensor, by its name, of which nothing was asked and nothing came."""
    return {
        "sensor": sensor,
        "bus": bus,
        "values": {},
        "units": {},
        "raw": {},
        "missing": {},
        "doubts": {},
        "complete": True,
        "asked": [],
        "refusals": [],
        "remarks": [],
        "out_of_limits": 0,
        "silence": None,
    }


def silent_answer(sensor: str, bus: str, silence: str, asked: Sequence[Exchange] = ()) -> Answer:
    """Return the answer of a sensor that gave no value, with the reason in a sentence."""
    return {**empty_answer(sensor, bus), "complete": False, "asked": [*asked], "silence": silence}


def pushed_answer(sensor: str, bus: str, settings: Settings, values: Values) -> Answer:
    """Return the answer of a sensor that sent these values by itself."""
    return {
        **empty_answer(sensor, bus),
        "values": values,
        "units": _units_of(values, settings.units),
        "doubts": doubts(values, settings.units),
    }


def polled_answer(
    sensor: str,
    bus: str,
    protocol: Protocol,
    settings: Settings,
    outcome: Outcome,
    result: PollResult,
    remarks: Sequence[str] = (),
) -> Answer:
    """Return the answer of a sensor that was polled alone.

    Args:
        sensor, bus: their names.
        protocol: of the bus.
        settings: of the sensor.
        outcome: of the poll.
        result: that of the outcome.
        remarks: what was heard beside the replies.
    """
    (values,) = result.values
    reread = partial(result.reread, 0)
    missing = result.missing[0] if result.missing else {}
    left_out = result.left_out[0] if result.left_out else {}
    zeros = all_zero(values, reread)
    return {
        "sensor": sensor,
        "bus": bus,
        "values": values,
        "units": _units_of(values, settings.units),
        "raw": _raw(protocol, settings, outcome, values),
        "missing": explained({**missing, **left_out}, settings.units, reread),
        "doubts": doubts(values, settings.units, reread),
        "complete": result.complete,
        "asked": exchanges_of(outcome),
        "refusals": [str(of_refusal(refusal)) for refusal in result.refusals],
        "remarks": [*remarks, *([zeros] if zeros else [])],
        "out_of_limits": result.out_of_limits,
        "silence": None,
    }


def exchanges_of(outcome: Outcome) -> list[Exchange]:
    """Return what was asked in a poll, with the replies."""
    return [
        {
            "request": request.summary,
            "sent": request.data.hex(" "),
            "reply": reply.frame.data.hex(" ") if reply else None,
            "turn_around_ms": round(1000 * reply.turn_around_s, 1) if reply else None,
        }
        for request, reply in outcome.exchanges
    ]


def _units_of(values: Values, units: Mapping[str, str]) -> dict[str, str]:
    """Return the unit of each value that has one."""
    return {key: units[key] for key in values if units.get(key)}


def _raw(protocol: Protocol, settings: Settings, outcome: Outcome, values: Values) -> dict[str, str]:
    """Return what stands behind the values, where the protocol can say."""
    if not isinstance(protocol, PolledProtocol) or protocol.raw_of is None:
        return {}
    exchanges = [(request.data, reply.frame.data) for request, reply in outcome.exchanges if reply]
    raw = protocol.raw_of(settings, exchanges)
    return {key: raw[key] for key in values if key in raw}
