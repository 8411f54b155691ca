"""The last values of a sensor that is exchanged: those that the bus read, and those on its own display.

They come from the status document of its bus or, after a restart, from what the bus keeps beside the spool.
Where the new sensor has the address of the old one and the bus is read, they may be the new one's already;
what a person has read off the old one is beyond doubt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.commands.replace.counters import Continuation
from bridge.config import Bus, Site
from bridge.errors import ConfigError
from bridge.spool.locks import beside
from bridge.status.line_statistics import Memory
from bridge.status.runtime import Runtime
from protocols.toolkit.polling import Values


@dataclass(frozen=True, slots=True)
class LastValues:
    """The last values of the old sensor, with the offsets that held then.

    Attributes:
        ts_ms: when they were read, ms since 1970; None if not known.
        values: by key.
        is_doubtful: those that nobody has read off the old sensor may be the new one's.
        as_shown: the keys of those that a person has read off it.
    """

    ts_ms: int | None
    values: Values
    is_doubtful: bool = False
    as_shown: frozenset[str] = frozenset()

    def doubtful(self, entries: Sequence[Continuation]) -> list[Continuation]:
        """Return the counters whose last value may be the new sensor's."""
        return [entry for entry in entries if self.is_doubtful and entry.key not in self.as_shown]


def last_known(site: Site, bus: Bus, name: str, *, is_same_address: bool) -> LastValues | None:
    """Return the last values of a sensor; None if no process of this gateway remembers any."""
    document = Runtime(site.spool.path).buses().get(bus.name)
    row = document.get("sensors", {}).get(name) if document else None
    if row is not None and (values := row.get("last_values")):
        return LastValues(row.get("last_ts"), values, is_same_address and row.get("state") == "ok")
    if (last := Memory(beside(site.spool.path, f".bus-{bus.name}.json")).last(name)) is not None:
        return LastValues(*last)
    return None


def corrected(last: LastValues | None, numbers: Mapping[str, int | float]) -> LastValues | None:
    """Return the last values with those that a person has read off the old sensor, by key."""
    if not numbers:
        return last
    before = last or LastValues(None, {})
    return replace(before, values={**before.values, **numbers}, as_shown=before.as_shown | numbers.keys())


def read_off(texts: Sequence[str]) -> dict[str, int | float]:
    """Return the numbers of texts such as "import_energy=8123.4", by key.

    Raises:
        ConfigError: a text is not of that form.
    """
    numbers: dict[str, int | float] = {}
    for text in texts:
        key, equals, number = (part.strip() for part in text.partition("="))
        try:
            numbers[key] = number_in(number)
        except ValueError as error:
            raise ConfigError([f"--last {text}: {error}"]) from None
        if not (key and equals):
            raise ConfigError(
                [f"--last {text}: write the key of the value and a number: import_energy=8123.4"]
            )
    return numbers


def number_in(text: str) -> int | float:
    """Return the number in a text, whose decimals may follow a comma.

    Raises:
        ValueError: it is none, or its comma may separate thousands: 1,234.
    """
    if re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", text):
        whole = text.replace(",", "")
        raise ValueError(
            f"is the comma of {text} one of thousands? write {whole}, or {text.replace(',', '.')}"
        )
    try:
        value = int(text) if re.fullmatch(r"[+-]?\d{1,30}", text) else float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError("write the key of the value and a number: import_energy=8123.4")
    return value


def doubt(sensor: str, entry: Continuation) -> ConfigError:
    """Return the error for a last value that may be the new sensor's, where nobody can be asked."""
    return ConfigError(
        [
            f"the bus has read the address of {sensor} all along, so {entry.key} {entry.last} may be the new "
            f"sensor's already: say what the old one showed, --last {entry.key}=VALUE, or --fresh"
        ]
    )
