"""What holds for every framer, asked of each without knowing its protocol."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from protocols import load
from protocols.toolkit.framing import Event, Frame, NoiseReason
from protocols.toolkit.protocol import Protocol
from tests.protocols.vector_file import file_of
from tests.protocols.vectors import (
    SPOKEN,
    good_frames,
    hear,
    last_frame,
    octets,
    placed,
    without_idle,
)

GOOD = {name: good_frames(name) for name in SPOKEN}
names = st.sampled_from(SPOKEN)
noise = st.binary(max_size=20)

every_protocol = pytest.mark.parametrize("entry", [pytest.param(load(name), id=name) for name in SPOKEN])
bounded = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def pieces_of_a_line(draw: st.DrawFn, name: str) -> bytes:
    """Good frames, cut ones, damaged ones and noise, in any order."""
    good = draw(st.sampled_from(GOOD[name]))
    match draw(st.sampled_from(["good", "cut", "damaged", "noise"])):
        case "good":
            return good
        case "cut":
            return good[: draw(st.integers(1, len(good)))]
        case "damaged":
            at = draw(st.integers(0, len(good) - 1))
            return good[:at] + bytes((good[at] ^ draw(st.integers(1, 255)),)) + good[at + 1 :]
    return draw(noise)


@st.composite
def lines(draw: st.DrawFn) -> tuple[Protocol, bytes]:
    name = draw(names)
    return load(name), b"".join(draw(st.lists(pieces_of_a_line(name), max_size=8)))


@st.composite
def good_ones(draw: st.DrawFn) -> tuple[Protocol, bytes, bytes]:
    name = draw(names)
    return load(name), draw(st.sampled_from(GOOD[name])), draw(st.sampled_from(GOOD[name]))


@bounded
@given(lines(), st.data())
def test_how_the_bytes_are_cut_up_changes_nothing(line: tuple[Protocol, bytes], data: st.DataObject) -> None:
    entry, stream = line
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert hear(entry, pieces) == hear(entry, [stream])


@bounded
@given(lines())
def test_frames_noise_and_pending_are_the_input(line: tuple[Protocol, bytes]) -> None:
    entry, stream = line
    framer = entry.framer()
    events: list[Event] = []
    for at in range(len(stream)):
        events += framer.feed(stream[at : at + 1])
        assert octets(events) + framer.pending == stream[: at + 1]
    assert octets(events + framer.silence()) == stream
    assert framer.pending == b""


@bounded
@given(good_ones(), noise)
def test_a_good_frame_is_found_after_noise(ones: tuple[Protocol, bytes, bytes], before: bytes) -> None:
    entry, good, _ = ones
    assert last_frame(entry, hear(entry, [before + good])) == without_idle(entry, good)


@bounded
@given(good_ones(), st.data())
def test_a_cut_frame_costs_only_itself(ones: tuple[Protocol, bytes, bytes], data: st.DataObject) -> None:
    entry, first, second = ones
    kept = data.draw(st.integers(0, len(first) - 1))
    assume(not second.startswith(first[kept:]))  # the second would complete the first
    events = hear(entry, [first[:kept] + second])
    # a short check may be right by chance for a frame that begins in the first and ends in the second
    assume(not any(at < kept < at + len(found) for at, found in placed(events).items()))
    assert last_frame(entry, events) == without_idle(entry, second)


@every_protocol
def test_nothing_heard_raises(entry: Protocol) -> None:
    chance = random.Random(1)
    framer, describe = entry.framer(), entry.describer()
    stream = bytearray(chance.randbytes(50_000))
    for good in chance.choices(GOOD[entry.name], k=3000):
        stream += good
        if chance.random() < 0.5:
            stream[-chance.randrange(1, len(good) + 1)] ^= 1 << chance.randrange(8)
    events: list[Event] = []
    for at in range(0, len(stream), 97):
        events += framer.feed(bytes(stream[at : at + 97]))
        assert len(framer.pending) <= entry.longest
    events += framer.silence()
    assert octets(events) == stream
    for event in events:
        if isinstance(event, Frame):
            assert describe(event)
        else:
            assert isinstance(event.reason, NoiseReason)


@every_protocol
def test_damage_raises_nothing_and_passes_no_further_than_the_check_allows(entry: Protocol) -> None:
    chance = random.Random(3)
    file = file_of(entry.name)
    covered = {good: sorted(set(range(len(good))) - file.uncovered(good)) for good in GOOD[entry.name]}
    passed = dict.fromkeys(range(4), 0)  # frames that are not the one that was damaged, by bits flipped
    for case in range(100_000):
        good = chance.choice(GOOD[entry.name])
        flipped = case % 4
        data = bytearray(good if flipped else chance.randbytes(chance.randint(1, 64)))
        for _ in range(flipped if covered[good] else 0):
            data[chance.choice(covered[good])] ^= 1 << chance.randrange(8)
        events, describe = hear(entry, [bytes(data)]), entry.describer()
        assert octets(events) == data
        for frame in (event for event in events if isinstance(event, Frame)):
            describe(frame)
            same = without_idle(entry, good), without_idle(entry, good).lower()
            if frame.data == file.alone:
                continue
            passed[flipped] += not flipped or without_idle(entry, frame.data).lower() not in same
    assert passed[1] == 0
    assert passed[0] <= 25  # one in 65536 octets that look like a head, for a check of 16 bits
    assert passed[2] + passed[3] < 50_000 * file.undetected_pairs


@every_protocol
@pytest.mark.parametrize("pattern", ["random", "one byte", "begun again and again", "headers"])
def test_the_work_is_linear_in_the_input(entry: Protocol, pattern: str) -> None:
    def seconds(size: int) -> float:
        begun = GOOD[entry.name][0][:3]
        data = {
            "random": random.Random(2).randbytes(size),
            "one byte": begun[:1] * size,
            "begun again and again": begun * (size // len(begun)),
            "headers": b"\x01\x03\xfa" * (size // 3),
        }[pattern]
        start = time.process_time()
        hear(entry, [data])
        return time.process_time() - start

    small = min(seconds(50_000) for _ in range(3))
    large = min(seconds(400_000) for _ in range(2))
    assert large < 8 * 4 * small + 0.1


@every_protocol
def test_what_is_kept_is_bounded(entry: Protocol) -> None:
    for begun in {good[:3] for good in GOOD[entry.name]}:
        framer = entry.framer()
        for at in range(3000):
            framer.feed(begun[at % 3 : at % 3 + 1])
            assert len(framer.pending) <= entry.longest
