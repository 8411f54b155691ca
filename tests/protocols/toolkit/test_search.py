"""The framer of frames with a head: what it asks of a frame that is not yet whole."""

from __future__ import annotations

import re

import pytest

from protocols.toolkit.framing import Frame, Noise
from protocols.toolkit.search import SearchFramer, Shape

LONGEST = 32


class Counted:
    """Frames from `<` to `>`, or with their length behind `#`; notes from where on an end was searched."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def extent(self, buffer: bytes, at: int, heard: int = 0) -> int | None:
        self.asked.append((len(buffer), heard))
        if buffer[at : at + 1] == b"#":
            return int(buffer[at + 1 : at + 2])
        end = buffer.find(b">", max(at, heard), at + LONGEST)
        if end < 0:
            return None if len(buffer) - at < LONGEST else 0
        return end + 1 - at

    def framer(self) -> SearchFramer:
        return SearchFramer(
            Shape(
                head=re.compile(rb"<|#\d"),
                head_length=2,
                starts=b"<#",
                longest=LONGEST,
                extent=self.extent,
                flaw=lambda frame: "empty" if frame == b"<>" else None,
                resumed=self.extent,
            )
        )


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_the_end_of_a_frame_is_searched_for_where_it_was_not_yet(counted: Counted) -> None:
    framer = counted.framer()
    assert framer.feed(b"ab<cd") == [Noise(b"ab", "noise")]
    assert framer.feed(b"e") == framer.feed(b"fg") == []
    assert framer.feed(b">") == [Frame(b"<cdefg>")]
    assert counted.asked == [(5, 0), (4, 3), (6, 4), (7, 6)]


def test_what_was_searched_of_one_frame_is_nothing_to_the_next(counted: Counted) -> None:
    framer = counted.framer()
    framer.feed(b"<cd")
    assert framer.feed(b"><x") == [Frame(b"<cd>")]
    assert framer.feed(b">") == [Frame(b"<x>")]
    framer.feed(b"<" + b"x" * (LONGEST - 2))
    assert framer.feed(b"y<z>") == [Noise(b"<" + b"x" * (LONGEST - 2) + b"y", "noise"), Frame(b"<z>")]


def test_a_frame_that_told_its_length_is_left_alone_until_it_is_there(counted: Counted) -> None:
    framer = counted.framer()
    assert [framer.feed(b"-#7"[at : at + 1]) for at in range(3)] == [[Noise(b"-", "noise")], [], []]
    assert framer.feed(b"abc") == framer.feed(b"d") == []
    assert framer.pending == b"#7abcd"
    assert framer.feed(b"e#3") == [Frame(b"#7abcde")]
    assert counted.asked == [(2, 0), (9, 0), (9, 0)]
    assert framer.silence() == [Noise(b"#3", "cut")]
    assert framer.feed(b"#2") == [Frame(b"#2")]


def test_frames_with_one_flaw_side_by_side_are_one_noise(counted: Counted) -> None:
    assert counted.framer().feed(b"<><>?<><x>") == [
        Noise(b"<><>", "empty"),
        Noise(b"?", "noise"),
        Noise(b"<>", "empty"),
        Frame(b"<x>"),
    ]
