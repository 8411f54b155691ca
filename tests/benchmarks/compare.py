"""Two revisions side by side: `make bench-compare REV=main~20`.

    python -m tests.benchmarks.compare REV [--rounds 3] [BENCHMARK …]

The other revision is checked out beside this one, with an environment of its own, and the benchmarks run in
turns, this one and that one, so that a machine that grows warm or busy does so for both. Of each figure the
median counts; the ratio is this revision's to the other's. A benchmark that one of them lacks is left out.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

HERE: Final = Path(__file__).parents[2]
BENCHMARKS: Final = ("decode", "spool", "line", "process", "footprint")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_RUN: Final = "import json; from tests.benchmarks import {0}; print(json.dumps({0}.main()))"
_LONGEST_S: Final = 900

Figures = Mapping[tuple[str, str], float]  # by the first cell of a row, and the head of the column


def figures(rows: Sequence[Sequence[str]]) -> dict[tuple[str, str], float]:
    """Return the numbers of a table, by row and column; a cell without one is left out."""
    head, *body = rows
    return {
        (row[0], column): float(number[0])
        for row in body
        for column, cell in zip(head[1:], row[1:], strict=False)
        if (number := _NUMBER.search(cell))
    }


def ratios(ours: Sequence[Figures], others: Sequence[Figures]) -> Iterator[tuple[str, str, float, float]]:
    """Yield row, column, our median and the other's, for each figure that every run of both has."""
    for key in ours[0]:
        if all(key in run for run in (*ours, *others)):
            yield *key, median(run[key] for run in ours), median(run[key] for run in others)


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """Yield a folder with that revision and its environment; both are removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "other"
        _git("worktree", "add", "--detach", str(folder), revision)
        try:
            base = subprocess.run(
                [sys.executable, "-c", "import sys; print(sys._base_executable)"],
                capture_output=True,
                text=True,
                check=True,
            )
            python = f"PYTHON={base.stdout.strip()}"
            subprocess.run(["make", "-s", "-C", str(folder), python, ".venv/.dev"], check=True)
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def run(folder: Path, benchmark: str) -> dict[tuple[str, str], float] | None:
    """Return the figures of one run in a checkout; None: there is no such benchmark, or it failed."""
    process = subprocess.run(
        [str(folder / ".venv/bin/python"), "-c", _RUN.format(benchmark)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    if process.returncode != 0:
        print(f"{benchmark} did not run in {folder.name}: {process.stderr.strip().splitlines()[-1:]}")
        return None
    return figures(json.loads(process.stdout.splitlines()[-1]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("revision", help="a commit, a tag, a branch")
    parser.add_argument("benchmark", nargs="*", default=list(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with checkout(options.revision) as other:
        for benchmark in options.benchmark:
            pairs = [(run(HERE, benchmark), run(other, benchmark)) for _ in range(options.rounds)]
            ours = [mine for mine, _ in pairs if mine]
            others = [its for _, its in pairs if its]
            if not (ours and others):
                continue
            print(f"\n{benchmark}: here, {options.revision}, ratio; medians of {len(ours)} and {len(others)}")
            for row, column, here, there in ratios(ours, others):
                ratio = f"{here / there:.3f}" if there else "-"
                print(f"  {row + ', ' + column:<70} {here:>10g} {there:>10g} {ratio:>8}")


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(HERE), *arguments], check=True, capture_output=True)


if __name__ == "__main__":
    main()
