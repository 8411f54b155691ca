"""Every vector of every protocol, in three deliveries: whole, byte by byte, with noise around."""

from __future__ import annotations

import pytest

from protocols import load
from protocols.toolkit.protocol import Protocol
from tests.protocols.vector_file import Vector, file_of
from tests.protocols.vectors import (
    SPOKEN,
    described,
    expected_of,
    frames,
    hear,
    holds_a_good_one,
    octets,
    placed,
    single,
    vectors,
)

ALL = [pytest.param(load(name), vector, id=vector["id"]) for name in SPOKEN for vector in vectors(name)]
BEFORE, BEHIND = b"\xff\x5a", b"\xff"


@pytest.mark.parametrize(("entry", "vector"), ALL)
def test_a_vector_is_read_as_its_source_says(entry: Protocol, vector: Vector) -> None:
    data = bytes.fromhex(vector["hex"])
    whole = hear(entry, [data])
    assert octets(whole) == data
    assert hear(entry, single(data)) == whole
    if vector["direction"] == "stream":
        expected = vector["expected"]["frames"]
        assert placed(whole) == {frame["offset"]: bytes.fromhex(frame["hex"]) for frame in expected}
        for fields, frame in zip(described(entry, whole), expected, strict=True):
            assert fields | expected_of(entry, vector, frame["expected"]) == fields
    elif "optional" in vector:  # two readings are defensible, the note says which
        assert all(described(entry, whole))
    elif vector["valid"]:
        assert frames(whole) == [data]
        (fields,) = described(entry, whole)
        assert fields | expected_of(entry, vector, vector["expected"]) == fields
    elif not holds_a_good_one(vector):
        assert frames(whole) == []


@pytest.mark.parametrize(("entry", "vector"), ALL)
def test_noise_around_a_vector_changes_nothing(entry: Protocol, vector: Vector) -> None:
    data = bytes.fromhex(vector["hex"])
    alone = placed(hear(entry, [data])) if data != file_of(entry.name).alone else {}
    noisy = hear(entry, [BEFORE + data + BEHIND])
    assert octets(noisy) == BEFORE + data + BEHIND
    assert placed(noisy) == {offset + len(BEFORE): frame for offset, frame in alone.items()}
    assert hear(entry, single(BEFORE + data + BEHIND)) == noisy
