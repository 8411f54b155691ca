"""What a UART makes of characters that were sent with other settings than its own."""

from __future__ import annotations

import random

import pytest

from bridge.simulator.field.uart import heard_by_device, heard_by_host, sampled
from protocols.toolkit.polling import LineSettings

MESSAGE = bytes.fromhex("01030000000ac5cd")


def line(text: str) -> LineSettings:
    return LineSettings.parse(text)


@pytest.mark.parametrize("text", ["9600 8N1", "2400 8E1", "300 7E1", "19200 8O1", "4800 8N2", "9600 7O2"])
def test_characters_are_heard_as_they_were_sent_where_both_have_one_setting(text: str) -> None:
    data = random.Random(text).randbytes(200)
    octets = bytes(octet & (0x7F if "7" in text else 0xFF) for octet in data)
    characters = list(sampled(octets, line(text), line(text)))
    assert bytes(character.octet for character in characters) == octets
    assert all(character.is_good for character in characters)


def test_a_second_stop_bit_is_a_pause() -> None:
    assert heard_by_device(MESSAGE, line("9600 8N2"), line("9600 8N1")) == MESSAGE
    assert heard_by_device(MESSAGE, line("9600 8N1"), line("9600 8N2")) == MESSAGE


@pytest.mark.parametrize(
    ("sender", "receiver"),
    [
        ("9600 8N1", "9600 8E1"),
        ("9600 8E1", "9600 8N1"),
        ("9600 8E1", "9600 8O1"),
        ("9600 8N1", "19200 8N1"),
        ("19200 8N1", "9600 8N1"),
        ("115200 8N1", "9600 8N1"),
        ("300 7E1", "9600 8N1"),
    ],
)
def test_a_device_with_other_settings_does_not_hear_the_message(sender: str, receiver: str) -> None:
    assert MESSAGE not in heard_by_device(MESSAGE, line(sender), line(receiver))


def test_a_host_of_another_speed_hears_more_or_fewer_octets() -> None:
    data = random.Random(1).randbytes(100)
    assert len(heard_by_host(data, line("9600 8N1"), line("38400 8N1"))) > 150
    assert 0 < len(heard_by_host(data, line("115200 8N1"), line("9600 8N1"))) < 50


def test_a_host_without_parity_hears_seven_bits_and_their_parity() -> None:
    assert heard_by_host(b"/?!\r\n", line("9600 7E1"), line("9600 8N1")) == bytes.fromhex("af3f218d0a")


def test_a_swapped_pair_makes_noise_of_every_message() -> None:
    characters = list(sampled(MESSAGE, line("9600 8N1"), line("9600 8N1"), is_swapped=True))
    assert MESSAGE not in bytes(character.octet for character in characters)
    assert characters
