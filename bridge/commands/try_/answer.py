"""The answer of `try`: its document, for programs, and its lines, for the person at the cabinet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge import plain_text
from bridge.causes import of_refusal
from bridge.config import Bus, Sensor
from bridge.line import Reply
from bridge.reader.doubt import Reread, all_zero, doubts, explained
from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.polling import Request, Values


def document(
    bus: Bus,
    sensor: Sensor,
    values: Values,
    *,
    missing: Mapping[str, str] | None = None,
    reread: Reread = lambda key: (),
    exchanges: Sequence[tuple[Request, Reply | None]] = (),
    refusals: Sequence[DeviceRefusal] = (),
    remarks: Sequence[str] = (),
    raw: Mapping[str, str] | None = None,
    is_complete: bool = True,
    out_of_limits: int = 0,
) -> dict[str, Any]:
    """Return the document of `try --json`.

    Args:
        bus: of the sensor.
        sensor: the one that is tried.
        values: what it told.
        missing: the keys that it gave no value for, each with the reason.
        reread: how else a value could be read.
        exchanges: what was asked, with the reply or None.
        refusals: what it refused.
        raw: what stands behind a value, where its protocol can say.
        remarks: what was heard beside the replies, each with the next step.
        is_complete: no request was left unanswered or refused.
        out_of_limits: how many values lay outside their `min` and `max`.
    """
    units = sensor.settings.units
    return {
        "sensor": sensor.name,
        "bus": bus.name,
        "values": values,
        "units": {key: units[key] for key in values if units.get(key)},
        "raw": dict(raw or {}),
        "missing": explained(missing or {}, units, reread),
        "doubts": doubts(values, units, reread),
        "complete": is_complete,
        "asked": [
            {
                "request": request.summary,
                "sent": request.data.hex(" "),
                "reply": reply.frame.data.hex(" ") if reply else None,
                "turn_around_ms": round(1000 * reply.turn_around_s, 1) if reply else None,
            }
            for request, reply in exchanges
        ],
        "refusals": [str(of_refusal(refusal)) for refusal in refusals],
        "remarks": [*remarks, *filter(None, [all_zero(values, reread)])],
        "out_of_limits": out_of_limits,
    }


def text(answer: Mapping[str, Any], *, with_raw: bool = False) -> str:
    """Return the answer for the person at the cabinet; `with_raw`: with registers and octets."""
    lines = [f"{answer['sensor']} {'answers' if answer['asked'] else 'speaks'} on bus {answer['bus']}"]
    width = max(map(len, [*answer["values"], *answer["missing"]]), default=0)
    lines += [
        f"  {key:<{width}}  {value} {answer['units'].get(key, '')}".rstrip()
        + (f"   ({answer['raw'][key]})" if with_raw and key in answer["raw"] else "")
        for key, value in answer["values"].items()
    ]
    lines += [f"  {key:<{width}}  -  {reason}" for key, reason in answer["missing"].items()]
    if not answer["values"]:
        lines.append("  no usable value")
    if model := answer.get("model"):
        lines.append(f"model {model['name']}: evidence {model['evidence']}")
    lines += answer["doubts"].values()
    for exchange in answer["asked"]:
        result = (
            "no reply" if exchange["turn_around_ms"] is None else f"after {exchange['turn_around_ms']:.1f} ms"
        )
        lines.append(f"asked {exchange['request']}: {result}")
        if with_raw:
            lines += _octets(exchange)
    lines += [f"{answer['sensor']} {remark}" for remark in [*answer["refusals"], *answer["remarks"]]]
    return plain_text.lines(lines)


def octets_text(answer: Mapping[str, Any]) -> str:
    """Return the registers behind the values of an answer, and the octets of its exchanges."""
    raw = [f"    {key} {answer['values'][key]} = {text}" for key, text in answer.get("raw", {}).items()]
    return plain_text.lines([*raw, *(octets for one in answer.get("asked", ()) for octets in _octets(one))])


def _octets(exchange: Mapping[str, Any]) -> list[str]:
    return [f"    > {exchange['sent']}", f"    < {exchange['reply'] or 'nothing'}"]
