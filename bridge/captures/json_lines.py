"""Captures as JSON lines, an object each: {"t": seconds since 1970, "dir": "rx" | "tx", "hex": "0103"}."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bridge.captures.record import Direction, NotACapture, Record

_US = 1_000_000


class JsonLines:
    """A capture as JSON lines, being written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("x", encoding="ascii")

    def write(self, record: Record) -> None:
        """Append a record; it is in the file when this returns."""
        self._file.write(text_of(record))
        self._file.flush()

    def close(self) -> None:
        """End the file."""
        self._file.close()


def read(path: Path) -> Iterator[Record]:
    """Yield the records of a file; a last line that breaks off is left out.

    Raises:
        NotACapture: a line is no record; the message says which.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield record_of(line)
                except (ValueError, KeyError, TypeError, ArithmeticError) as error:
                    if not line.endswith(b"\n"):
                        return
                    raise NotACapture(
                        f'{path}:{number}: this is no record of a capture; write {{"t": seconds, '
                        f'"dir": "rx", "hex": "01 03"}} on each line'
                    ) from error


def text_of(record: Record) -> str:
    """Return a record as one line, its end included."""
    seconds, microseconds = divmod(record.at_us, _US)
    return (
        f'{{"t": {seconds}.{microseconds:06}, "dir": "{record.direction.value}", '
        f'"hex": "{record.data.hex(" ")}"}}\n'
    )


def record_of(line: bytes) -> Record:
    """Return the record on a line.

    Raises:
        ValueError, KeyError, TypeError, ArithmeticError: it is no record.
    """
    from decimal import Decimal  # here, because a reader writes records and reads none

    fields = json.loads(line, parse_float=Decimal)
    data = bytes.fromhex(fields["hex"])
    if not data:
        raise ValueError("no octets")
    return Record(int(Decimal(fields["t"]) * _US), data, Direction(fields.get("dir", "rx")))
