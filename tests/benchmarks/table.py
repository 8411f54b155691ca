"""The tables of README's performance section, written between two markers by `make bench` itself."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


class Row(tuple[str, ...]):
    """One row of a table; the first of a table is its head."""

    __slots__ = ()

    def __new__(cls, *cells: str) -> Row:
        """The cells from left to right."""
        return super().__new__(cls, cells)


def write(tables: Sequence[Sequence[Row]], readme: Path = README) -> None:
    """Replaces what stands between the markers.

    Raises:
        ValueError: the markers are missing.
    """
    before, found, rest = readme.read_text().partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"{readme} has no {BEGIN} … {END}")
    text = "\n\n".join([machine(), *("\n".join(_markdown(rows)) for rows in tables if rows)])
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def machine() -> str:
    """Where and when, in one line."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith(("model name", "Model"))
        ),
        platform.machine(),
    )
    today = datetime.now(UTC).date()
    return f"Measured {today} with Python {platform.python_version()} on {os.cpu_count()} × {cpu}."


def _markdown(rows: Sequence[Row]) -> list[str]:
    head, *body = rows
    rule = Row("---", *["--:"] * (len(head) - 1))
    return [f"| {' | '.join(row)} |" for row in (head, rule, *body)]
