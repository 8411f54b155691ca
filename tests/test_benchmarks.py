"""What `make bench` writes into docs/performance."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import time
from pathlib import Path

import pytest

from protocols.modbus.rtu import adu
from tests.benchmarks import compare, many, table
from tests.benchmarks.wires import EXCHANGE_S, LINE, VARIES_S, Heard, wires

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


def test_a_request_is_as_late_as_its_slot_is_past_and_a_slot_without_one_is_missed() -> None:
    asked = {("bus", 1): [110.0, 120.25, 140.5], ("bus", 2): [111.0]}
    heard = Heard({}, 0, asked, {("bus", 1): 100.0, ("bus", 2): 101.0}, 0.0)
    assert many.lateness(heard, 10.0) == (1, [0.0, 0.0, 0.25, 0.5])


def test_a_simulated_wire_takes_its_time_and_counts_a_request_that_comes_before_the_gap_is_over() -> None:
    request, reply = adu(2, struct.pack(">BHH", 3, 0, 1)), adu(2, struct.pack(">BBH", 3, 2, 2302))
    with wires({"one": 2, "other": 2}) as lines:
        port = os.open(lines.paths["one"], os.O_RDWR | os.O_NOCTTY)

        def ask() -> float:
            began_at = time.monotonic()
            os.write(port, request)
            assert select.select([port], [], [], 5)[0]
            assert os.read(port, 256) == reply
            return time.monotonic() - began_at

        try:
            assert ask() >= EXCHANGE_S - VARIES_S > LINE.duration_s(15)
            first = lines.heard()
            for _ in range(20):  # a busy machine may be as slow as the gap at times, not at each
                ask()
        finally:
            os.close(port)
        heard = lines.heard()
    assert (first.polls, first.early) == (1, 0)
    assert heard.polls == 21
    assert heard.early > 0
    assert heard.polls_per_s["one"] > 0 == heard.polls_per_s["other"]
    assert heard.first["one", 2] == heard.asked["one", 2][0]
