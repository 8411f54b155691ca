"""A scan as lines of text, for the person at the cabinet."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bridge.commands.scan.result import Ending, Located, ScanResult, sentence
from bridge.commands.scan.survey import Progress
from bridge.commands.terminal.next_step import SITE, command
from protocols.toolkit.scanning import Evidence, Find, Trouble

WIDTH: Final = 79
_INDENT: Final = "    "
_MINUTE_S: Final = 60
_COMMAND: Final = "serial-bridge "
_SURE: Final = (Evidence.IDENTIFIED, Evidence.ANSWERS, Evidence.REFUSES)


def find_lines(located: Located) -> Iterator[str]:
    """Yield the lines of one find: where it is, what it is, and why that is said."""
    find = located.find
    address = f" address {find.address}" if find.address else ""
    yield f"{located.line}  {find.protocol}{address}: {name(find)}"
    is_own_trouble = find.trouble is not None and find.evidence is not Evidence.HEARD
    reasons = [sentence(find)] if is_own_trouble else list(find.reasons)
    for reason in reasons:
        yield from textwrap.wrap(reason, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
    if find.rivals:
        rivals = ", ".join(f"{model} ({confidence:.0%})" for model, confidence in find.rivals)
        yield from textwrap.wrap(
            f"may be: {rivals}", WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT
        )


def name(find: Find) -> str:
    """Return what a find is, in a few words."""
    said = " ".join(find.identity.values())
    if find.trouble is not None and find.evidence is not Evidence.HEARD:
        return {
            Trouble.TWO_DEVICES: "two devices with one address",
            Trouble.DAMAGED: "answers with a wrong checksum",
            Trouble.NOISE: "something is here, but no frame is whole",
        }.get(find.trouble, find.trouble.value)
    if find.model is not None:
        return f"{find.model} ({find.confidence or 0:.0%}){f', {said}' if said else ''}"
    if said:
        return said
    return {
        Evidence.IDENTIFIED: "identified",
        Evidence.ANSWERS: "answers, model unknown",
        Evidence.REFUSES: "is there, refuses what was asked",
        Evidence.GARBLED: "something is here, but no frame is whole",
        Evidence.HEARD: "heard",
    }[find.evidence]


def progress_line(progress: Progress) -> str:
    """Return one line on how far a scan is."""
    if progress.left_s is None:
        return progress.text[:WIDTH]
    left = f"  {progress.share:4.0%}, at most {duration(progress.left_s)} left"
    return f"{progress.text[: WIDTH - len(left)]:<{WIDTH - len(left)}}{left}"


def duration(seconds: float) -> str:
    """Return a duration for people: "40 s", "3 min"."""
    return f"{seconds:.0f} s" if seconds < 1.5 * _MINUTE_S else f"{seconds / _MINUTE_S:.0f} min"


def summary(result: ScanResult, site: Path = SITE) -> Iterator[str]:
    """Yield what came of a scan, and the next step, in lines for a terminal.

    A command stays on one line, so that it can be copied.

    Args:
        result: of the scan.
        site: the site file, which the next command names unless it is in its usual place.
    """
    for text in sentences(result, site):
        yield from [text] if _COMMAND in text else textwrap.wrap(text, WIDTH)


def sentences(result: ScanResult, site: Path = SITE) -> Iterator[str]:
    """Yield what came of a scan, and the next step, each sentence whole; arguments as of `summary`."""
    sure = sum(located.find.evidence in _SURE for located in result.finds)
    heard = len(result.finds) - sure
    sent = "" if result.octets_sent is None else f"{result.octets_sent} octets sent in "
    yield (
        f"{result.port}: {sure} {'device answers' if sure == 1 else 'devices answer'}"
        f"{f', {heard} more heard' if heard else ''}; {sent}{duration(result.bus_s)}, "
        "nothing was written to any device"
    )
    if result.remark:
        yield result.remark
    if result.ending is Ending.INTERRUPTED:
        step = f"serial-bridge scan {shlex.quote(result.port)} --resume"
        step = step if "/" in result.port else command(step, site)
        yield f"interrupted; to go on: {step}"
    elif result.finds and result.ending is Ending.COMPLETE:
        step = command("serial-bridge setup", site)
        yield f"next: {step}"
