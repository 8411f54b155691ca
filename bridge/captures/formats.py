"""Captures in files: which form a file has or gets. Each form is imported when a file has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bridge.captures.record import Capture, Record

PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"  # the type of a section header block


def open_capture(path: Path) -> Capture:
    """Begin a capture in a new file: pcapng, or JSON lines if its name ends in .jsonl.

    Raises:
        OSError: the file cannot be made, or is there already.
    """
    if path.suffix == ".jsonl":
        from bridge.captures.json_lines import JsonLines

        return JsonLines(path)
    from bridge.captures.pcapng_file import PcapngFile

    return PcapngFile(path)


def read(path: Path) -> Iterator[Record]:
    """Yield the records of a capture, in the order of the file.

    Raises:
        NotACapture: the file is none, or breaks off.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        is_pcapng = file.read(len(PCAPNG_MAGIC)) == PCAPNG_MAGIC
    if is_pcapng:
        from bridge.captures import pcapng_file

        return pcapng_file.read(path)
    from bridge.captures import json_lines

    return json_lines.read(path)
