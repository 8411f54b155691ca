"""What holds for every framer holds for one that is compiled from any declaration."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from protocols.declared import declaration, protocol_of
from protocols.declared.declaration import Length
from protocols.declared.sensor import Declared
from protocols.toolkit.framing import Event, Frame, Noise
from tests.protocols.declared.declarations import frames, raws_of
from tests.protocols.vectors import hear, octets, placed

bounded = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def declared_ones(draw: st.DrawFn) -> tuple[Declared, list[tuple[bytes, dict[str, Any]]]]:
    """A declaration, and good frames of it with what stands in them."""
    table = draw(frames())
    declared = declaration({"frame": table})
    room = declared.frame.declared.longest - declared.frame.declared.shortest
    told = isinstance(declared.frame.declared.length, Length)
    good = []
    for _ in range(draw(st.integers(1, 3))):
        raws = draw(raws_of(table))
        rest = draw(st.binary(max_size=room)) if told else b""
        length = declared.frame.declared.length
        if isinstance(length, Length):
            assume(0 <= declared.frame.declared.shortest + len(rest) - length.add <= 255)
        good.append((declared.frame.build(raws, rest), raws))
    return declared, good


@st.composite
def lines(draw: st.DrawFn) -> tuple[Declared, bytes]:
    """Good frames, cut ones, damaged ones and noise, in any order."""
    declared, good = draw(declared_ones())
    pieces = []
    for _ in range(draw(st.integers(0, 8))):
        piece = draw(st.sampled_from(good))[0]
        match draw(st.sampled_from(["good", "cut", "damaged", "noise"])):
            case "cut":
                piece = piece[: draw(st.integers(1, len(piece)))]
            case "damaged":
                at = draw(st.integers(0, len(piece) - 1))
                piece = piece[:at] + bytes((piece[at] ^ draw(st.integers(1, 255)),)) + piece[at + 1 :]
            case "noise":
                piece = draw(st.binary(max_size=20))
        pieces.append(piece)
    return declared, b"".join(pieces)


def is_found_or_overlapped(events: list[Event], at: int, good: bytes) -> bool:
    """Whether a good frame was found at its place, or octets of it belong to another that passes the check.

    A checksum of eight bits lets one in 256 of the latter pass.
    """
    found = placed(events)
    return found.get(at) == good or any(
        start < at + len(good) and at < start + len(frame) for start, frame in found.items()
    )


@bounded
@given(declared_ones())
def test_what_is_built_is_found_and_comes_back(
    ones: tuple[Declared, list[tuple[bytes, dict[str, Any]]]],
) -> None:
    declared, good = ones
    for frame, raws in good:
        assert hear(protocol_of(declared), [frame]) == [Frame(frame)]
        assert declared.frame.parse(frame) == raws


@bounded
@given(lines(), st.data())
def test_how_the_bytes_are_cut_up_changes_nothing(line: tuple[Declared, bytes], data: st.DataObject) -> None:
    declared, stream = line
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert hear(protocol_of(declared), pieces) == hear(protocol_of(declared), [stream])


@bounded
@given(lines())
def test_frames_noise_and_pending_are_the_input(line: tuple[Declared, bytes]) -> None:
    declared, stream = line
    framer, describe = protocol_of(declared).framer(), protocol_of(declared).describer()
    events: list[Event] = []
    for at in range(len(stream)):
        events += framer.feed(stream[at : at + 1])
        assert octets(events) + framer.pending == stream[: at + 1]
        assert len(framer.pending) <= protocol_of(declared).longest
    events += framer.silence()
    assert octets(events) == stream
    assert framer.pending == b""
    for event in events:
        if isinstance(event, Frame):
            assert describe(event)


@bounded
@given(declared_ones(), st.binary(max_size=20))
def test_a_good_frame_is_found_after_noise(
    ones: tuple[Declared, list[tuple[bytes, dict[str, Any]]]], before: bytes
) -> None:
    declared, good = ones
    events = hear(protocol_of(declared), [before + good[0][0]])
    assert is_found_or_overlapped(events, len(before), good[0][0])


@bounded
@given(declared_ones(), st.data())
def test_a_cut_frame_costs_only_itself(
    ones: tuple[Declared, list[tuple[bytes, dict[str, Any]]]], data: st.DataObject
) -> None:
    declared, good = ones
    first, second = good[0][0], good[-1][0]
    kept = data.draw(st.integers(0, len(first) - 1))
    events = hear(protocol_of(declared), [first[:kept] + second])
    assert is_found_or_overlapped(events, kept, second)


@bounded
@given(declared_ones(), st.data())
def test_an_octet_changed_where_the_checksum_looks_is_no_frame(
    ones: tuple[Declared, list[tuple[bytes, dict[str, Any]]]], data: st.DataObject
) -> None:
    declared, good = ones
    frame = good[0][0]
    check = declared.frame.declared.check
    assert check is not None
    span = range(len(frame))[check.start : check.stop]
    at = data.draw(st.sampled_from([at for at in span if at >= len(declared.frame.declared.sync)] or [*span]))
    changed = frame[:at] + bytes((frame[at] ^ 1 << data.draw(st.integers(0, 7)),)) + frame[at + 1 :]
    events = hear(protocol_of(declared), [changed])
    assert Frame(frame) not in events
    assert all(isinstance(event, Noise) or event.data != changed for event in events)
