"""Sensors for site.toml, learned from a line by listening, whatever its protocol.

    what was heard ──▶ the protocol's candidates ──▶ listened to once more ──▶ those that brought values

So what is proposed is what a bus with `listen = true` would have read: only the values that the master reads.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bridge.commands.decode.traffic import Heard
from protocols.toolkit.errors import ProtocolError, SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import PolledProtocol, Settings

MOST_EVENTS: Final = 100_000  # that are remembered; a minute of the fastest line has fewer


class Learner:
    """What passes on a line, remembered.

    Args:
        protocol: with an overhearer and candidates.
    """

    def __init__(self, protocol: PolledProtocol[Settings]) -> None:
        self._protocol = protocol
        self._heard: list[Heard] = []

    def hear(self, heard: Heard) -> None:
        """Take a frame or noise."""
        if len(self._heard) < MOST_EVENTS:
            self._heard.append(heard)

    def blocks(self, bus: str, elapsed_s: float) -> str:
        """Return blocks for site.toml: a sensor for each device that answered; "" if none did."""
        assert self._protocol.candidates is not None
        fields = [heard.fields for heard in self._heard if isinstance(heard.event, Frame) and heard.fields]
        lines: list[str] = []
        for keys in self._protocol.candidates(fields):
            lines += self._block(bus, keys, elapsed_s)
        return "\n".join(lines)

    def _block(self, bus: str, keys: Mapping[str, Any], elapsed_s: float) -> Iterator[str]:
        assert self._protocol.overhearer is not None
        try:
            overhearer = self._protocol.overhearer([self._protocol.settings(keys)])
        except SettingsError:  # a device that says of itself what no sensor may be called
            return
        counts: Counter[str] = Counter()
        for heard in self._heard:
            at_s = heard.start_us / 1e6
            try:
                for one in overhearer.hear(heard.event, at_s, at_s):
                    counts.update(list(one.values))
            except ProtocolError:
                continue
        if not counts:
            return
        (unread,) = overhearer.unread()
        table = dict(keys)
        if "values" in keys:
            table["values"] = [name for name in keys["values"] if name not in unread]
        place = next((str(keys[key]) for key in ("address", "id") if key in keys), "1")
        yield f"[[bus.{bus}.sensor]]"
        yield f'name = "device-{re.sub("[^0-9A-Za-z]+", "-", place)}"'
        yield f'every = "{max(1, round(elapsed_s / max(1, max(counts.values()) - 1)))}s"'
        yield from (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items())
        if "values" not in keys:
            yield f"# it says: {', '.join(counts)}"
        yield ""
