"""What `make bench` writes into docs/performance."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks import compare, table

BEGIN, END = table.markers(table.BENCH)


def test_the_tables_replace_what_stood_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        table.write([[table.Row("polls", "ours"), table.Row("9600 baud", "0.99")]], page)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\nMeasured ")
    assert text.endswith(f"\n\n| polls | ours |\n| --- | --: |\n| 9600 baud | 0.99 |\n{END}\nafter\n")
    assert "old" not in text


def test_the_tables_say_of_which_commit_they_are() -> None:
    described = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=table.DOCS, capture_output=True, text=True, check=False
    )
    if described.returncode:
        pytest.skip("this is no working tree of git")
    assert re.search(rf" at `\S*{described.stdout.strip()[:7]}\S*`", table.machine())


def test_without_markers_nothing_is_written(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("no place")
    with pytest.raises(ValueError, match="has no"):
        table.write([], page)


def test_the_page_has_a_place_for_the_tables() -> None:
    text = table.PERFORMANCE.read_text()
    assert text.index(BEGIN) < text.index(END)


def test_two_revisions_are_compared_figure_by_figure_by_their_medians() -> None:
    def run(polls: str, rss: str) -> dict[tuple[str, str], float]:
        return compare.figures([["service", "polls", "RSS"], ["read", polls, rss], ["uplink", "-", "30 MB"]])

    ours = [run("0.97 (3 % early)", "28.1 MB"), run("0.99", "29 MB"), run("0.98", "28 MB")]
    others = [run("0.90", "46 MB"), run("0.95", "47 MB"), run("0.91", "")]
    assert list(compare.ratios(ours, others)) == [
        ("read", "polls", 0.98, 0.91),
        ("uplink", "RSS", 30.0, 30.0),
    ]
