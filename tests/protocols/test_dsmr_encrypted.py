"""Encrypted P1 telegrams: with the right key what the plain one says, otherwise nothing."""

from __future__ import annotations

import random

import pytest

from protocols import load
from protocols.toolkit.errors import DecryptionError, ProtocolError
from protocols.toolkit.framing import Frame
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.protocol import Protocol
from protocols.toolkit.pushing import CountsInvocations, Telegram
from tests.protocols.dlms.building import ciphered
from tests.protocols.vectors import Vector, vectors

PLAIN = load("dsmr")
TELEGRAMS = [
    pytest.param(vector, id=vector["device"]) for vector in vectors("dsmr-encrypted") if "key" in vector
]
FIRST: Vector = next(vector for vector in vectors("dsmr-encrypted") if "key" in vector)
FRAME, TEXT = bytes.fromhex(FIRST["hex"]), bytes.fromhex(FIRST["plain"])
KEY = MeterKey(bytes.fromhex(FIRST["key"]))


def keyed(key: MeterKey = KEY) -> Protocol:
    entry = load("dsmr-encrypted")
    assert entry.with_keys is not None
    return entry.with_keys({"id": key})


def heard(entry: Protocol, data: bytes) -> list[Telegram]:
    framer, listener = entry.framer(), entry.listener()
    events = [*framer.feed(data), *framer.silence()]
    return [each for event in events if isinstance(event, Frame) for each in listener.telegrams(event)]


@pytest.mark.parametrize("vector", TELEGRAMS)
def test_a_telegram_says_what_the_plain_one_says(vector: Vector) -> None:
    plain = heard(PLAIN, bytes.fromhex(vector["plain"]))
    assert heard(keyed(), bytes.fromhex(vector["hex"])) == plain != []


def test_an_authentication_key_of_its_own_takes_the_place_of_luxembourgs() -> None:
    own = MeterKey(KEY.encryption, bytes(range(16, 32)))
    frame = ciphered(TEXT, key=own)
    assert heard(keyed(own), frame) == heard(PLAIN, TEXT)
    with pytest.raises(DecryptionError):
        heard(keyed(), frame)


@pytest.mark.parametrize(
    ("key", "reason"), [(MeterKey(bytes(16)), DecryptionError.WRONG_KEY), (None, DecryptionError.NO_KEY)]
)
def test_without_the_right_key_there_is_one_sentence_and_no_value(key: MeterKey | None, reason: str) -> None:
    with pytest.raises(DecryptionError, match="meter ") as error:
        heard(keyed(key) if key else load("dsmr-encrypted"), FRAME)
    assert error.value.reason == reason


def test_a_repeated_telegram_is_refused() -> None:
    entry = keyed()
    assert heard(entry, FRAME)
    with pytest.raises(DecryptionError) as error:
        heard(entry, FRAME)
    assert error.value.reason == DecryptionError.REPLAYED


def test_what_one_process_has_heard_the_next_one_refuses() -> None:
    before, after = keyed(), keyed()
    assert heard(before, FRAME)
    ended, begun = before.listener(), after.listener()
    assert isinstance(ended, CountsInvocations)
    assert isinstance(begun, CountsInvocations)
    begun.continue_after(ended.invocation_counters)
    with pytest.raises(DecryptionError, match="again, its last was"):
        heard(after, FRAME)


def test_no_bit_can_be_flipped_and_no_end_cut_off() -> None:
    chance = random.Random(3)
    good = heard(keyed(), FRAME)
    for _ in range(2000):
        data = bytearray(FRAME)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        assert values(bytes(data)) in ([], good if bytes(data) == FRAME else [])
    for end in range(0, len(FRAME) - 5, 7):
        assert values(FRAME[:end]) == []
        assert values(FRAME[:end] + FRAME) == good


def test_a_plain_text_that_is_no_telegram_gives_nothing() -> None:
    luxembourg = MeterKey(KEY.encryption, bytes.fromhex("00112233445566778899AABBCCDDEEFF"))
    for text in (TEXT + TEXT, TEXT[:-8], b"x" + TEXT, bytes(200)):
        assert values(ciphered(text, key=luxembourg)) == []


def values(data: bytes) -> list[Telegram]:
    try:
        return heard(keyed(), data)
    except ProtocolError:
        return []
