"""The answer of `try` for the person at the cabinet; the document is `bridge.reader.answer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge import plain_text


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
