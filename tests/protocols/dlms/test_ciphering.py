"""Encrypted pushes: what the right key reads, and that nothing else is ever a value."""

from __future__ import annotations

import random

import pytest

from protocols import load
from protocols.dlms import hdlc
from protocols.dlms.apdu import Ciphered
from protocols.dlms.ciphering import decrypted
from protocols.toolkit.errors import DecryptionError, ProtocolError
from protocols.toolkit.framing import Frame
from protocols.toolkit.meter_keys import MeterKey, parse_key
from protocols.toolkit.protocol import Protocol
from protocols.toolkit.pushing import CountsInvocations
from tests.protocols.dlms.building import KEY, LLC, TITLE, ciphered, frames, notification, told
from tests.protocols.dlms.test_push import AIDON, AIDON_VALUES

OTHER = MeterKey(bytes(16), bytes(16))
PUSH = notification(AIDON)


def with_keys(*keys: MeterKey) -> Protocol:
    entry = load("dlms-push")
    assert entry.with_keys is not None
    return entry.with_keys({str(index): key for index, key in enumerate(keys)})


def test_the_example_of_the_standard_is_decrypted() -> None:
    """Green Book, "Example: ciphering of xDLMS APDUs": authenticated encryption of an initiateRequest."""
    title, keys = bytes.fromhex("4D4D4D0000BC614E"), MeterKey(bytes(range(16)), bytes(range(0xD0, 0xE0)))
    plain = bytes.fromhex("01011000112233445566778899AABBCCDDEEFF0000065F1F0400007E1F04B0")
    content = bytes.fromhex(
        "801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855"
    )
    assert decrypted(Ciphered(title, 0x30, 0x01234567, content), MeterKey(keys.encryption)) == plain
    assert decrypted(Ciphered(title, 0x30, 0x01234567, content), keys) == plain


@pytest.mark.parametrize("control", [0x20, 0x21, 0x30, 0x31])
@pytest.mark.parametrize("key", [KEY, MeterKey(KEY.encryption)])
def test_a_push_is_decrypted_with_and_without_authentication(control: int, key: MeterKey) -> None:
    (telegram,) = told(frames(ciphered(PUSH, control=control)), OTHER, key)
    assert telegram.values == AIDON_VALUES
    assert telegram.ids == ("7359992890941742", "", TITLE.hex().upper())


@pytest.mark.parametrize("control", [0x20, 0x30])
@pytest.mark.parametrize("key", [OTHER, MeterKey(OTHER.encryption)])
def test_a_wrong_key_is_one_sentence(control: int, key: MeterKey) -> None:
    with pytest.raises(
        DecryptionError, match="the key does not decrypt what meter 4C475A6770000001 sends"
    ) as error:
        told(frames(ciphered(PUSH, control=control)), key)
    assert error.value.reason == DecryptionError.WRONG_KEY
    assert key.encryption.hex() not in str(error.value)


def test_a_wrong_authentication_key_is_not_passed_over() -> None:
    with pytest.raises(DecryptionError) as error:
        told(frames(ciphered(PUSH)), MeterKey(KEY.encryption, bytes(16)))
    assert error.value.reason == DecryptionError.WRONG_KEY


def test_a_missing_key_is_one_sentence() -> None:
    with pytest.raises(DecryptionError, match="meter 4C475A6770000001 encrypts what it sends") as error:
        told(frames(ciphered(PUSH)))
    assert error.value.reason == DecryptionError.NO_KEY


@pytest.mark.parametrize("again", [7, 6, 0])
def test_a_repeated_or_older_counter_is_refused_also_by_the_next_listener(again: int) -> None:
    entry = with_keys(KEY)
    assert _heard(entry, frames(ciphered(PUSH, 7))) == [AIDON_VALUES]
    with pytest.raises(DecryptionError, match=f"sends counter {again} again, its last was 7") as error:
        _heard(entry, frames(ciphered(PUSH, again)))
    assert error.value.reason == DecryptionError.REPLAYED
    assert _heard(entry, frames(ciphered(PUSH, 8))) == [AIDON_VALUES]


def test_what_one_process_has_heard_the_next_one_refuses() -> None:
    before, after = with_keys(KEY), with_keys(KEY)
    assert _heard(before, frames(ciphered(PUSH, 7))) == [AIDON_VALUES]
    assert _heard(before, frames(ciphered(PUSH, 3, title=b"LGZ\0\0\0\0\2"))) == [AIDON_VALUES]
    counters = _listener(before).invocation_counters
    assert sorted(counters.values()) == [3, 7]
    assert not any(KEY.encryption.hex() in name.lower() for name in counters)
    _listener(after).continue_after(counters)
    with pytest.raises(DecryptionError, match="sends counter 7 again, its last was 7"):
        _heard(after, frames(ciphered(PUSH, 7)))
    assert _heard(after, frames(ciphered(PUSH, 8))) == [AIDON_VALUES]


def test_older_counters_take_nothing_back() -> None:
    entry = with_keys(KEY)
    assert _heard(entry, frames(ciphered(PUSH, 9))) == [AIDON_VALUES]
    _listener(entry).continue_after(dict.fromkeys(_listener(entry).invocation_counters, 5))
    with pytest.raises(DecryptionError, match="its last was 9"):
        _heard(entry, frames(ciphered(PUSH, 6)))


def test_a_new_key_begins_with_a_counter_of_its_own() -> None:
    renewed = MeterKey(bytes(range(1, 17)), KEY.authentication)
    entry = with_keys(KEY, renewed)
    assert _heard(entry, frames(ciphered(PUSH, 70_000))) == [AIDON_VALUES]
    assert _heard(entry, frames(ciphered(PUSH, 1, key=renewed))) == [AIDON_VALUES]
    with pytest.raises(DecryptionError, match="its last was 70000"):
        _heard(entry, frames(ciphered(PUSH, 70_000)))


def test_a_broken_push_does_not_move_the_counter_forward() -> None:
    entry = with_keys(KEY)
    broken = bytearray(ciphered(PUSH, 1000))
    broken[-1] ^= 1
    with pytest.raises(DecryptionError):
        _heard(entry, frames(bytes(broken)))
    assert _heard(entry, frames(ciphered(PUSH, 2))) == [AIDON_VALUES]


def test_each_meter_has_a_counter_of_its_own() -> None:
    entry = with_keys(KEY)
    assert _heard(entry, frames(ciphered(PUSH, 900))) == [AIDON_VALUES]
    assert _heard(entry, frames(ciphered(PUSH, 1, title=b"LGZ\0\0\0\0\2"))) == [AIDON_VALUES]


def test_no_bit_of_an_authenticated_push_can_be_flipped() -> None:
    """Even where a frame's own check is right again."""
    chance = random.Random(2)
    whole = ciphered(PUSH)
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if bytes(data) != whole:
            assert not _values([hdlc.build(LLC + bytes(data))])


def test_no_end_of_an_encrypted_push_can_be_cut_off() -> None:
    for control in (0x20, 0x30):
        whole = ciphered(PUSH, control=control)
        for end in range(1, len(whole)):
            assert not _values([hdlc.build(LLC + whole[:end])])


@pytest.mark.parametrize("control", [0x10, 0xA0, 0x22, 0x00])
def test_what_is_not_read_is_refused(control: int) -> None:
    with pytest.raises(DecryptionError):
        told(frames(ciphered(PUSH, control=control)), KEY)


def test_no_key_is_ever_shown() -> None:
    assert KEY.encryption.hex() not in repr(KEY)
    assert repr(KEY) == "MeterKey(…)"
    assert parse_key(" 00:01-02 03 04050607 08090A0B0C0D0E0F ") == KEY.encryption
    for wrong, why in (("0001", "has 32"), ("zz" * 16, "hexadecimal"), ("é" * 32, "hexadecimal")):
        with pytest.raises(ValueError, match=why) as error:
            parse_key(wrong)
        assert wrong not in str(error.value)


def _heard(entry: Protocol, parts: list[bytes]) -> list[dict[str, object]]:
    framer, listener = entry.framer(), entry.listener()
    events = [event for part in parts for event in framer.feed(part)]
    return [
        dict(telegram.values)
        for event in events
        if isinstance(event, Frame)
        for telegram in listener.telegrams(event)
    ]


def _listener(entry: Protocol) -> CountsInvocations:
    listener = entry.listener()
    assert isinstance(listener, CountsInvocations)
    return listener


def _values(parts: list[bytes]) -> list[dict[str, object]]:
    try:
        return _heard(with_keys(KEY), parts)
    except ProtocolError:
        return []
