"""Sensors that speak unasked: what they say, and the keys that such a sensor has in site.toml.

    frame ──▶ Listener.telegrams ──▶ Telegram(sender, values) …

A frame may tell of several sensors (an electricity meter hands on what its gas meter said), a listener may
remember one frame for the next. Where frames carry the sensor's own id, each id is a sensor of its own, and a
sensor is named by it in site.toml; where they carry none, a line has one sensor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Values

_FEW = 16  # names that fit a message


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
        """The last good counter of each meter, by a name of the meter and its key."""
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
        only: dict[str, Any] = {
            "type": "array",
            "items": {"anyOf": [known_names, {"type": "string"}]} if self.others else known_names,
            "minItems": 1,
            "description": "The values to keep. Default: all.",
        }
        if self.identity is None:
            return {"properties": {"only": only}, "required": []}
        identity = {
            "type": "string",
            "description": f"{self.identity.what}.",
            "examples": [self.identity.example],
        }
        required = [] if self.identity.is_optional else ["id"]
        return {"properties": {"id": identity, "only": only}, "required": required}

    def parse(self, keys: Mapping[str, Any]) -> PushingSettings:
        """Return the settings in these keys.

        Raises:
            SettingsError: every mistake.
        """
        problems: list[Problem] = []
        name = self._id(keys, problems)
        only = self._only(keys, problems)
        if problems:
            raise SettingsError(problems)
        units = {name: self.units.get(name) or self.unit_of(name) or "" for name in only or self.units}
        return PushingSettings(name, only, units)

    def _id(self, keys: Mapping[str, Any], problems: list[Problem]) -> str:
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
                    f'{sender_id!r} is not {self.identity.what}, for example id = "{self.identity.example}"',
                )
            )
        return name

    def _like(self, name: str) -> str:
        """Return the names of all values, or of many only those most like `name`, for a message."""
        names = list(self.units)
        if len(names) <= _FEW:
            return ", ".join(names)
        return f"{', '.join(get_close_matches(name.lower(), names, 3, 0.4) or names[:3])} …"

    def _only(self, keys: Mapping[str, Any], problems: list[Problem]) -> tuple[str, ...]:
        only = keys.get("only", ())
        if "only" in keys and not (isinstance(only, list) and only):
            problems.append((("only",), 'write the values to keep as a list: only = ["…"]'))
            return ()
        for index, name in enumerate(only):
            is_known = isinstance(name, str) and (
                name in self.units or (self.others and self.others.fullmatch(name))
            )
            if not is_known:
                problems.append((("only", index), f"{name!r} is none of its values: {self._like(str(name))}"))
            elif name in only[:index]:
                problems.append((("only", index), f"{name!r} is there twice"))
        return tuple(only)
