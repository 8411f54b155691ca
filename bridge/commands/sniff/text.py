"""What was heard as lines: for people, with a colour for each direction, and as JSON for programs."""

from __future__ import annotations

import time
from typing import Any

import typer

from bridge.commands.decode.traffic import Heard
from bridge.plain_text import one_line
from protocols.toolkit.framing import Direction, Frame

_COLOURS = {Direction.REQUEST: typer.colors.CYAN, Direction.REPLY: typer.colors.GREEN, None: None}
_ARROWS = {Direction.REQUEST: ">", Direction.REPLY: "<", None: " "}


def line(heard: Heard) -> str:
    """Return one line for people: time, direction, octets, fields."""
    seconds, microseconds = divmod(heard.start_us, 1_000_000)
    clock = f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{microseconds // 1000:03}"
    octets = heard.event.data.hex(" ")
    if isinstance(heard.event, Frame):
        direction = heard.event.direction
        fields = one_line("  ".join(f"{name}={value}" for name, value in (heard.fields or {}).items()))
        return f"{clock} {typer.style(f'{_ARROWS[direction]} {octets}', fg=_COLOURS[direction])}  {fields}"
    return f"{clock} {typer.style(f'? {octets}', fg=typer.colors.RED)}  — {heard.event.reason}"


def document(heard: Heard) -> dict[str, Any]:
    """Return the JSON object: as of `decode --json`, with the time in seconds since 1970."""
    common = {"t": heard.start_us / 1_000_000}
    if isinstance(heard.event, Frame):
        direction = heard.event.direction
        return {
            **common,
            "frame": heard.event.data.hex(),
            "direction": direction.value if direction else None,
            "fields": heard.fields,
        }
    return {**common, "noise": heard.event.data.hex(), "reason": heard.event.reason}
