"""Encrypted M-Bus: the examples of the standards, and that nothing of a broken telegram is a value."""

from __future__ import annotations

import pytest

from protocols.mbus import PROTOCOL, application, link
from protocols.mbus.items import named, values
from protocols.mbus.link import RSP_UD, Message
from protocols.mbus.settings import parse_settings
from protocols.toolkit.framing import Frame
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.polling import LineSettings

ADDRESS = "78563412 9315 33 03"
MODE_5 = (  # OMS volume 2 annex N.2.1, EN 13757-3 table P.1: security profile A
    application.LONG_HEADER,
    ADDRESS + "2A 00 2025 5923C95AAA26D1B2E7493B013EC4A6F6 D3529B520EDFF0EA6DEFC99D6D69EBF3",
    MeterKey(bytes.fromhex("0102030405060708090A0B0C0D0E0F11")),
)
MODE_7 = (  # EN 13757-7 F.3: security profile B, with an authentication and fragmentation layer
    0x90,
    "0F 002C 25 B30A0000 AF5D74DF73A600D9 72" + ADDRESS + "75 00 2007 10"
    "9058475F4BC91DF878B80A1B0F98B629 024AAC727942BFC549233C0140829B93",
    MeterKey(bytes(range(16))),
)
PLAIN = (application.LONG_HEADER, ADDRESS + "2A 00 0000 0C14 27048502 046D 32371F15 02FD17 0000")
LINE = PROTOCOL.line or LineSettings(2400, 8, "E", 1)

examples = pytest.mark.parametrize(("ci", "data", "key"), [MODE_5, MODE_7], ids=["mode 5", "mode 7"])


def told(ci: int, data: bytes, key: MeterKey | None = None) -> application.Telegram:
    telegram = application.read(Message(RSP_UD, 5, ci, data))
    assert telegram is not None
    return telegram if key is None else application.read(Message(RSP_UD, 5, ci, data), key) or telegram


@examples
def test_an_example_says_what_the_plain_one_says(ci: int, data: str, key: MeterKey) -> None:
    plain = values(named(told(PLAIN[0], bytes.fromhex(PLAIN[1])).items))
    assert plain["volume"] == 28504.27
    telegram = told(ci, bytes.fromhex(data), key)
    assert (telegram.mode, telegram.fault) == (0, "")
    assert values(named(telegram.items)) == plain


@examples
def test_without_its_key_or_with_another_there_is_no_value(ci: int, data: str, key: MeterKey) -> None:
    octets = bytes.fromhex(data)
    assert told(ci, octets).items == ()
    assert told(ci, octets).mode in (5, 7)
    wrong = told(ci, octets, MeterKey(bytes(16)))
    assert wrong.items == ()
    assert "the key does not decrypt the telegram" in wrong.fault


@examples
def test_a_telegram_that_was_cut_has_no_value(ci: int, data: str, key: MeterKey) -> None:
    octets = bytes.fromhex(data)
    for end in range(len(octets)):
        assert (
            application.read(Message(RSP_UD, 5, ci, octets[:end]), key) is None
            or not told(ci, octets[:end], key).items
        )


def test_a_message_counter_or_a_long_header_that_is_missing_is_no_value() -> None:
    _, data, key = MODE_7
    behind = bytes.fromhex(data)[17:]
    assert told(application.LONG_HEADER, behind, key).fault == "the telegram has no message counter"
    short = bytes.fromhex(MODE_5[1])[8:]
    assert told(application.SHORT_HEADER, short, MODE_5[2]).mode == 5


@examples
def test_a_poll_decrypts_with_the_key_of_its_address(ci: int, data: str, key: MeterKey) -> None:
    assert PROTOCOL.with_keys is not None
    settings = parse_settings({"address": 5})
    reply = Frame(link.build(Message(RSP_UD, 5, ci, bytes.fromhex(data))))
    outcomes = []
    for entry in (PROTOCOL, PROTOCOL.with_keys({"5": key}), PROTOCOL.with_keys({"6": key})):
        poll = entry.device([settings], LINE).poll(0.0)
        next(poll)
        poll.send(Frame(link.ACKNOWLEDGEMENT))
        with pytest.raises(StopIteration) as over:
            poll.send(reply)
        outcomes.append(over.value.value)
    plain, keyed, other = outcomes
    assert keyed.complete
    assert keyed.values[0]["volume"] == 28504.27
    for refused in (plain, other):
        assert refused.values == ({},)
        assert "write its key under [decryption]" in str(refused.refusals[0])
