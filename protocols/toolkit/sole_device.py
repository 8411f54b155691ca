"""The search for a device alone on its line: its first request, answered twice, with values that can be.

The first request may only wake a device, or be answered late: where nothing is heard, it is sent once more,
and that is all. A damaged reply is asked for once more. What the device says of itself is taken from the
replies to all of its requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Request
from protocols.toolkit.scanning import Evidence, Find, Probe, Scanning, Scope, Search

_CALLS = 2  # that may be left unanswered
_TRIES = 3  # for two replies


@dataclass(frozen=True, slots=True, kw_only=True)
class SoleDevice:
    """How such a device is asked.

    Attributes:
        protocol: its name in site.toml.
        lines: the line settings to try, the most likely first.
        requests: returns what is asked: the first request twice, the others once.
        fields_of: returns what a reply says.
        ranges: values of a reply to the first request that must lie between these bounds.
        identity: names in a find's identity, and those of the fields that hold them.
        keys: returns the sensor's own keys, from what all replies say.
        reply_within_s: what a silent line costs.
    """

    protocol: str
    lines: tuple[LineSettings, ...]
    requests: Callable[[LineSettings], Sequence[Request]]
    fields_of: Callable[[Frame], Mapping[str, Any]]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    keys: Callable[[Mapping[str, Any]], Mapping[str, object]] = lambda fields: {}
    reply_within_s: float = 0.5

    @property
    def scanning(self) -> Scanning:
        """Return how a line is searched for it."""
        return Scanning(
            lines=self.lines,
            search=self.search,
            reply_within_s=self.reply_within_s,
            requests=_CALLS,
            has_own_line=True,
        )

    def search(self, scope: Scope) -> Search:
        """Search a line with the settings of a scope."""
        first, *others = self.requests(scope.line)
        replies: list[Frame] = []
        calls = 0
        for _ in range(_CALLS + _TRIES):
            heard = yield Probe(first, "", scope.reply_within_s)
            calls += heard.is_silent and not replies
            if calls == _CALLS:
                return
            replies += [heard.frame] if heard.frame else []
            if len(replies) == 2:
                break
        if not replies:
            return
        fields = dict(self.fields_of(replies[-1]))
        implausible_names = [name for name in self.ranges if not self._is_plausible(name, fields)]
        for request in others:
            heard = yield Probe(request, "", scope.reply_within_s)
            fields |= self.fields_of(heard.frame) if heard.frame else {}
        if len(replies) < 2 or implausible_names:
            reason = "it answered once of several times"
            if implausible_names:
                reason = f"it answers, but what it says cannot be: {_listed(fields, implausible_names)}"
            yield Find(protocol=self.protocol, address="", evidence=Evidence.ANSWERS, reasons=(reason,))
            return
        yield Find(
            protocol=self.protocol,
            address="",
            evidence=Evidence.IDENTIFIED,
            confidence=1.0,
            reasons=(f"it answered twice: {_listed(fields, self.ranges) or first.summary}",),
            keys=self.keys(fields),
            identity={
                name: str(fields[source]) for name, source in self.identity.items() if fields.get(source)
            },
        )

    def _is_plausible(self, name: str, fields: Mapping[str, Any]) -> bool:
        low, high = self.ranges[name]
        value = fields.get(name)
        return isinstance(value, (int, float)) and low <= value <= high


def _listed(fields: Mapping[str, Any], names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(f"{name} {fields[name]}" for name in names if name in fields)
