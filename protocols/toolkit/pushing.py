"""Sensors that push: what they say, and the keys that such a sensor has in site.toml.

    frame ──▶ Listener.telegrams ──▶ Telegram(sender, values) …

A frame may tell of several sensors (an electricity meter hands on what its gas meter said), a listener may
remember one frame for the next. Where frames carry the sensor's own id, each id is a sensor of its own, and a
sensor is named by it in site.toml; where they carry none, a line has one sensor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.keys import parse_value_names, shown, unknown_keys
from protocols.toolkit.polling import Values

ALIAS: Final = "only"
ALIAS_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
    "description": "An older name of `values`.",
}


@dataclass(frozen=True, slots=True)
class Telegram:
    """The values that one sensor reported.

    Attributes:
        sender: the id that the frame carries, as site.toml writes it; "" if it carries none.
        values: the values; empty if the sensor reports that it has none (warming up).
        also: other ways in which site.toml may write the id.
    """

    sender: str
    values: Values
    also: Sequence[str] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Return every way in which site.toml may write the sender's id."""
        return (self.sender, *self.also)


class Listener(Protocol):
    """Reads the frames of one line, in their order."""

    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        """Return the telegrams in a good frame, one for each sensor; none if it has no values.

        Raises:
            DecodeError: it makes no sense.
        """
        ...


@runtime_checkable
class CountsInvocations(Listener, Protocol):
    """A listener of meters whose telegrams are encrypted, each with a counter that only grows.

    Whoever hears a counter again hears a repetition. So the last ones must be handed to the listener of the
    next process: it keeps nothing itself.
    """

    @property
    def invocation_counters(self) -> Mapping[str, int]:
        """Return the last good counter of each meter, by a name of the meter and its key."""
        ...

    def continue_after(self, counters: Mapping[str, int]) -> None:
        """Refuse from now on what is not greater than these counters, which an earlier listener had."""
        ...


@dataclass(frozen=True, slots=True)
class PushingSettings:
    """A sensor's own keys.

    Attributes:
        id: the id its frames carry; "" where they carry none.
        values: the values that are kept; all if empty.
        units: the values that it may give, as far as they are known, each with its unit or "".
    """

    id: str
    values: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Return the id by which the sensor is known on its line."""
        return self.id

    def choose(self, values: Values) -> Values:
        """Return the values that these settings select."""
        return {name: values[name] for name in self.values if name in values} if self.values else values


@dataclass(frozen=True, slots=True)
class Identity:
    """The form of a sensor's id.

    Attributes:
        form: matches a whole id in its normal form.
        what: the name of the id and its place, for a message: "the server id, hexadecimal digits".
        example: an example of an id.
        normal: returns the normal form of an id, however it is written in site.toml.
        is_optional: a sensor that is alone on its line may leave it out.
    """

    form: re.Pattern[str]
    what: str
    example: str
    normal: Callable[[str], str] = str.strip
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class PushingKeys:
    """Reads the keys of sensors that push.

    Attributes:
        units: the values that they can give, each with its unit or "".
        identity: the form of their ids; None if their frames carry none.
        others: matches the names of further values, where `units` cannot list them all.
        unit_of: returns the unit of such a further value; None or "" if it has none.
    """

    units: Mapping[str, str]
    identity: Identity | None = None
    others: re.Pattern[str] | None = None
    unit_of: Callable[[str], str | None] = lambda name: None

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the keys."""
        known_names: dict[str, Any] = {"enum": list(self.units)}
        properties: dict[str, Any] = {
            "values": {
                "type": "array",
                "items": {"anyOf": [known_names, {"type": "string"}]} if self.others else known_names,
                "minItems": 1,
                "uniqueItems": True,
                "description": "The values to keep. Default: all.",
            },
            ALIAS: ALIAS_SCHEMA,
        }
        if self.identity is None:
            return {"properties": properties, "required": []}
        identity = {
            "type": "string",
            "description": f"{self.identity.what}.",
            "examples": [self.identity.example],
        }
        required = [] if self.identity.is_optional else ["id"]
        return {"properties": {"id": identity} | properties, "required": required}

    def parse(self, keys: Mapping[str, object]) -> PushingSettings:
        """Return the settings in these keys.

        Raises:
            SettingsError: every mistake.
        """
        own_keys = ("values",) if self.identity is None else ("id", "values")
        problems = unknown_keys({key: value for key, value in keys.items() if key != ALIAS}, own_keys)
        name = self._id(keys, problems)
        values = self._values(keys, problems)
        if problems:
            raise SettingsError(problems)
        units = {name: self.units.get(name) or self.unit_of(name) or "" for name in values or self.units}
        return PushingSettings(name, values, units)

    def _id(self, keys: Mapping[str, object], problems: list[Problem]) -> str:
        if self.identity is None:
            return ""
        if "id" not in keys and self.identity.is_optional:
            return ""
        if "id" not in keys:
            problems.append(
                (
                    ("id",),
                    f'is missing; write {self.identity.what}, for example id = "{self.identity.example}"; '
                    "what the line says of itself stands in `serial-bridge status`",
                )
            )
            return ""
        sender_id = keys["id"]
        if not isinstance(sender_id, str):
            example = f'for example id = "{self.identity.example}"'  # 0xA160 has become 41312
            problems.append((("id",), f"is a text: write it in quotes, {example}"))
            return ""
        name = self.identity.normal(sender_id)
        if not self.identity.form.fullmatch(name):
            problems.append(
                (
                    ("id",),
                    f"{shown(sender_id)} is not {self.identity.what}, "
                    f'for example id = "{self.identity.example}"',
                )
            )
        return name

    def _values(self, keys: Mapping[str, object], problems: list[Problem]) -> tuple[str, ...]:
        """Return the names of the values to keep; () if all are kept."""
        key = "values" if "values" in keys else ALIAS
        if "values" in keys and ALIAS in keys:
            problems.append(((ALIAS,), "is an older name of values, keep values alone"))
        if key not in keys:
            return ()
        return parse_value_names(keys[key], self.units, problems, key=key, is_known=self._is_known)

    def _is_known(self, name: str) -> bool:
        return name in self.units or bool(self.others and self.others.fullmatch(name))
