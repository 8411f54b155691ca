"""What every step of `setup` works with: the files, the person, and what the options say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridge.commands.setup.dialogue import Dialogue
from bridge.commands.setup.draft import Draft


@dataclass(frozen=True, slots=True)
class Answers:
    """What the options say. Attributes as the options; None or empty: asked for, or found out."""

    bus: str = "meters"
    adapter: str | None = None
    line: str = ""
    protocols: Sequence[str] = ()
    addresses: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    every: str | None = None
    url: str | None = None
    device_key: str | None = None
    device_secret: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a step works with.

    Attributes:
        draft: the two files.
        dialogue: with the person.
        answers: what the options say.
    """

    draft: Draft
    dialogue: Dialogue
    answers: Answers
