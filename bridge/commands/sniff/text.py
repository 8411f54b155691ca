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


def line(heard: Heard, *, is_coloured: bool) -> str:
    """Return one line for people: time, direction, octets, fields; only the colour steers a terminal."""
    seconds, microseconds = divmod(heard.start_us, 1_000_000)
    clock = f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{microseconds // 1000:03}"
    octets = heard.event.data.hex(" ")
    if isinstance(heard.event, Frame):
        direction = heard.event.direction
        fields = one_line("  ".join(f"{name}={value}" for name, value in (heard.fields or {}).items()))
        octets_text, colour, remark = f"{_ARROWS[direction]} {octets}", _COLOURS[direction], fields
    else:
        octets_text, colour, remark = f"? {octets}", typer.colors.RED, f"— {one_line(heard.event.reason)}"
    return f"{clock} {typer.style(octets_text, fg=colour) if is_coloured else octets_text}  {remark}"


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
