"""SML transport: escapes, starts inside the data, and the work they may make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.sml.transport import LONGEST, StreamFramer, data_of
from protocols.toolkit.framing import Event, Frame
from tests.protocols.sml.building import ESCAPE, START, closed, frame, telegram

escapes = st.lists(st.sampled_from([b"\x1b", b"\x01", b"\x1a", b"\0", ESCAPE, START]), max_size=40)


def heard(*pieces: bytes) -> list[Event]:
    framer = StreamFramer()
    events = [event for piece in pieces for event in framer.feed(piece)]
    return events + framer.silence()


@given(escapes)
def test_what_stands_in_the_data_is_not_taken_for_an_escape(parts: list[bytes]) -> None:
    data = b"\x76" + b"".join(parts) + b"\0"
    sent = frame(data)
    assert heard(sent) == [Frame(sent)]
    assert data_of(Frame(sent)) == data


@given(escapes, escapes)
def test_where_a_frame_ends_does_not_depend_on_the_starts_looked_at_before(
    before: list[bytes], inside: list[bytes]
) -> None:
    good = frame(b"\x76" + b"".join(inside) + b"\0")
    stream = START + b"".join(before) + b"\x02" + good
    assert Frame(good) in heard(stream)
    assert [event for event in heard(*(bytes((octet,)) for octet in stream)) if isinstance(event, Frame)] == [
        event for event in heard(stream) if isinstance(event, Frame)
    ]


def test_the_longest_frame_is_heard_and_one_longer_is_not() -> None:
    around = len(frame(b""))
    longest = frame(bytes(LONGEST - around))
    assert heard(longest) == [Frame(longest)]
    assert not any(isinstance(event, Frame) for event in heard(frame(bytes(LONGEST - around + 4))))


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(START, id="starts"),
        pytest.param(ESCAPE, id="escapes"),
        pytest.param(ESCAPE + START, id="starts inside the data"),
        pytest.param((ESCAPE + START) * (LONGEST // 12 - 1) + ESCAPE + b"\x1a\0\0\0", id="that share an end"),
        pytest.param(START + bytes(LONGEST - 9), id="starts of the longest"),
        pytest.param(telegram()[:-1] + b"\xff", id="wrong checksums"),
    ],
)
def test_a_megabyte_of_nonsense_is_no_frame(pattern: bytes) -> None:
    data = (pattern * (1_000_000 // len(pattern) + 1))[:1_000_000]
    assert not any(isinstance(event, Frame) for event in heard(data))


def test_an_end_that_is_cut_off_costs_only_its_own_frame() -> None:
    good = frame(closed())
    for kept in range(1, len(good)):
        events = heard(good[:kept] + good)
        assert Frame(good) in events
        assert b"".join(event.data for event in events) == good[:kept] + good
