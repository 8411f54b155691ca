"""Listening to a line, or to a capture of one: what is done with the octets that pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from bridge.captures import open_capture
from bridge.commands.decode.traffic import Heard, Traffic
from bridge.commands.sniff import text
from bridge.commands.sniff.learning import RegisterLearner
from bridge.commands.sniff.proposals import Learner
from bridge.commands.sniff.source import Source, records
from bridge.errors import ConfigError
from bridge.plain_text import json_text
from protocols.modbus.overhearing import ModbusOverhearer
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import PolledProtocol


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is done with the traffic. Attributes as the options of the command.

    Attributes:
        is_coloured: the lines are shown on a terminal, each direction in its colour.
    """

    model: str | None = None
    seconds: float | None = None
    write: Path | None = None
    is_learning: bool = False
    address: int | None = None
    as_json: bool = False
    is_coloured: bool = False


async def listen(source: Source, wishes: Wishes, say: Callable[[object], None]) -> bool:
    """Show, keep and learn from what passes; return whether there was a frame."""
    with ExitStack() as stack:
        capture = open_capture(wishes.write) if wishes.write else None
        if capture:
            stack.callback(capture.close)
        traffic = Traffic(source.protocol, wishes.model)
        learner = _learner(source) if wishes.is_learning else None
        frames, first_us, last_us = 0, 0, 0
        with suppress(asyncio.CancelledError):  # Ctrl-C ends it; what was learned is still said
            async with aclosing(records(source, wishes.seconds)) as heard_records:
                async for record in heard_records:
                    if capture and record.data:
                        capture.write(record)
                    first_us, last_us = first_us or record.at_us, record.at_us
                    heard = list(traffic.hear(record)) if record.data else list(traffic.silence())
                    frames += _show(heard, wishes, learner, say)
        frames += _show(list(traffic.silence()), wishes, learner, say)
    if learner is not None:
        proposed = learner.blocks(source.bus, max((last_us - first_us) / 1e6, 1.0))
        say(proposed or "no request with its reply was heard: nothing to propose")
    elif not frames:
        say(
            f"no frame of {source.protocol.name} was heard: compare protocol, baud rate and parity, "
            "then A and B"
        )
    return bool(frames)


def _learner(source: Source) -> RegisterLearner | Learner:
    """Return what learns.

    Raises:
        ConfigError: of this protocol nothing can be learned.
    """
    protocol = source.protocol
    if isinstance(protocol, PolledProtocol) and protocol.overhearer is not None:
        overhearer = protocol.overhearer([])
        if isinstance(overhearer, ModbusOverhearer):
            return RegisterLearner(overhearer)
        if protocol.candidates is not None:
            return Learner(protocol)
    raise ConfigError([f"--learn: of {protocol.title} nothing can be learned: no other master asks on it"])


def _show(
    heard: list[Heard],
    wishes: Wishes,
    learner: RegisterLearner | Learner | None,
    say: Callable[[object], None],
) -> int:
    """Print events, and hand them to what learns; return how many were frames."""
    frames = 0
    for one in heard:
        frames += isinstance(one.event, Frame)
        if learner is not None:
            learner.hear(one)
            continue
        if wishes.address is not None and (one.fields or {}).get("address") != wishes.address:
            continue
        if wishes.as_json:
            say(json_text(text.document(one)))
        else:
            typer.echo(text.line(one, is_coloured=wishes.is_coloured))
    return frames
