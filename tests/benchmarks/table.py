"""The pages' tables, each written between two markers by the command that makes it: `make bench` for one."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PERFORMANCE = DOCS / "performance.md"
BENCH = "bench"


class Row(tuple[str, ...]):
    """One row of a table; the first of a table is its head."""

    __slots__ = ()

    def __new__(cls, *cells: str) -> Row:
        """Return the cells from left to right."""
        return super().__new__(cls, cells)


def write(tables: Sequence[Sequence[Row]], page: Path = PERFORMANCE) -> None:
    """Replace what stands between the markers.

    Raises:
        ValueError: the markers are missing.
    """
    put(BENCH, "\n\n".join([machine(), *(markdown(rows) for rows in tables if rows)]), page)


def markers(name: str) -> tuple[str, str]:
    """Return what stands before and behind the tables of that name."""
    return f"<!-- {name} -->", f"<!-- /{name} -->"


def put(marker: str, text: str, page: Path) -> None:
    """Replace what stands between the markers of that name.

    Raises:
        ValueError: the markers are missing.
    """
    begin, end = markers(marker)
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page} has no {begin} … {end}")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def markdown(rows: Sequence[Row]) -> str:
    """A table as a page shows it; the first row is its head."""
    head, *body = rows
    rule = Row("---", *["--:"] * (len(head) - 1))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def machine() -> str:
    """Return where, when and of what, in one line."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith(("model name", "Model"))
        ),
        platform.machine(),
    )
    today = datetime.now(UTC).date()
    python, cores = platform.python_version(), os.cpu_count()
    return f"Measured {today} at {commit()} with Python {python} on {cores} × {cpu}."


def commit() -> str:
    """Return the commit that is measured; marked with a + if files differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=DOCS,
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return f"`{described.stdout.strip()}`" if described.returncode == 0 else "no commit"
