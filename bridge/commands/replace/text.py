"""What `replace` proposes, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bridge import plain_text
from bridge.commands.replace.last_values import LastValues
from bridge.commands.replace.replacement import Proposal
from bridge.config.wording import value_text

_MOST_VALUES = 4


def lines(proposal: Proposal, last: LastValues | None) -> str:
    """Return the proposal for the person who is to agree."""
    return plain_text.lines(_lines(proposal, last))


def _lines(proposal: Proposal, last: LastValues | None) -> Iterator[str]:
    shown = [
        f"{key} {value} {proposal.units.get(key, '')}".rstrip()
        for key, value in list(proposal.values.items())[:_MOST_VALUES]
    ]
    more = len(proposal.values) - len(shown)
    yield f"the new {proposal.sensor} answers: {', '.join(shown)}{f', +{more} more' if more > 0 else ''}"
    for key, value in proposal.new_keys.items():
        yield f"  {key}: {_shown(proposal.old_keys.get(key))} → {_shown(value)}"
    if proposal.continuations:
        when = f", read {_moment(last.ts_ms)}" if last is not None and last.ts_ms is not None else ""
        yield f"these counters go on where the old one ended{when}:"
    width = max((len(entry.key) for entry in proposal.continuations), default=0)
    for entry in proposal.continuations:
        yield (
            f"  {entry.key:<{width}}  {entry.last} {entry.unit}: the new one says {entry.first}, "
            f"{entry.offset.add} is added"
        )
    if proposal.begins_anew:
        keys = ", ".join(proposal.begins_anew)
        yield (
            f"these begin anew, because no last value is known: {keys}; "
            f"if you know one: --last {proposal.begins_anew[0]}=VALUE"
        )


def document(proposal: Proposal, *, is_written: bool, next_step: str | None) -> dict[str, Any]:
    """Return the document of `replace --json`."""
    return {
        "sensor": proposal.sensor,
        "bus": proposal.bus,
        "before": dict(proposal.old_keys),
        "after": dict(proposal.new_keys),
        "values": proposal.values,
        "offsets": {
            entry.key: {
                "last": entry.last,
                "first": entry.first,
                "add": entry.offset.add,
                "since": entry.offset.since.isoformat().replace("+00:00", "Z"),
            }
            for entry in proposal.continuations
        },
        "begins_anew": list(proposal.begins_anew),
        "written": is_written,
        "next": next_step,
    }


def _shown(value: object) -> str:
    return "-" if value is None else value_text(value)


def _moment(ts_ms: int) -> str:
    return f"{datetime.fromtimestamp(ts_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
