"""Listening to a line, or to a capture of one: what is done with the octets that pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from bridge.captures import open_capture
from bridge.commands.decode.traffic import Heard, Traffic
from bridge.commands.sniff import text
from bridge.commands.sniff.learning import blocks, learned
from bridge.commands.sniff.source import Source, records
from bridge.errors import ConfigError
from bridge.plain_text import json_text
from protocols.modbus.overhearing import ModbusOverhearer
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import PolledProtocol


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is done with the traffic. Attributes as the options of the command."""

    model: str | None = None
    seconds: float | None = None
    write: Path | None = None
    is_learning: bool = False
    address: int | None = None
    as_json: bool = False


async def listen(source: Source, wishes: Wishes, say: Callable[[object], None]) -> bool:
    """Show, keep and learn from what passes; return whether there was a frame."""
    with ExitStack() as stack:
        capture = open_capture(wishes.write) if wishes.write else None
        if capture:
            stack.callback(capture.close)
        traffic = Traffic(source.protocol, wishes.model)
        overhearer = _overhearer(source) if wishes.is_learning else None
        frames, first_us, last_us = 0, 0, 0
        with suppress(asyncio.CancelledError):  # Ctrl-C ends it; what was learned is still said
            async with aclosing(records(source, wishes.seconds)) as heard_records:
                async for record in heard_records:
                    if capture and record.data:
                        capture.write(record)
                    first_us, last_us = first_us or record.at_us, record.at_us
                    heard = list(traffic.hear(record)) if record.data else list(traffic.silence())
                    frames += _show(heard, wishes, overhearer, say)
        frames += _show(list(traffic.silence()), wishes, overhearer, say)
    if overhearer is not None:
        units = learned(overhearer, max((last_us - first_us) / 1e6, 1.0))
        say(blocks(source.bus, units) if units else "no request with its reply was heard: nothing to propose")
    elif not frames:
        say(
            f"no frame of {source.protocol.name} was heard: compare protocol, baud rate and parity, "
            "then A and B"
        )
    return bool(frames)


def _overhearer(source: Source) -> ModbusOverhearer:
    """Return the overhearer that learns.

    Raises:
        ConfigError: of this protocol nothing can be learned.
    """
    if isinstance(source.protocol, PolledProtocol) and source.protocol.overhearer is not None:
        overhearer = source.protocol.overhearer([])
        if isinstance(overhearer, ModbusOverhearer):
            return overhearer
    raise ConfigError([f"--learn: of {source.protocol.title} nothing can be learned yet, only of Modbus"])


def _show(
    heard: list[Heard], wishes: Wishes, overhearer: ModbusOverhearer | None, say: Callable[[object], None]
) -> int:
    """Print events, and hand them to what learns; return how many were frames."""
    frames = 0
    for one in heard:
        frames += isinstance(one.event, Frame)
        if overhearer is not None:
            overhearer.hear(one.event, one.start_us / 1e6, one.start_us / 1e6)
            continue
        if wishes.address is not None and (one.fields or {}).get("address") != wishes.address:
            continue
        say(json_text(text.document(one)) if wishes.as_json else text.line(one))
    return frames
