"""What the registers of an unknown device may mean, and which readings are plausible."""

from __future__ import annotations

import struct

import pytest

from bridge.commands.peek.registers import lines, peek_of
from protocols.modbus.registers import Table


def words(data: bytes, start: int = 0) -> dict[str, int]:
    return {str(start + at): word for at, word in enumerate(struct.unpack(f">{len(data) // 2}H", data))}


@pytest.mark.parametrize("order", ["ABCD", "CDAB", "BADC", "DCBA"])
def test_a_float_is_marked_in_the_order_in_which_it_is_one(order: str) -> None:
    a, b, c, d = (bytes((octet,)) for octet in struct.pack(">f", 230.1))
    data = b"".join({"A": a, "B": b, "C": c, "D": d}[letter] for letter in order)
    peek = peek_of("meters", 1, Table.INPUT, words(data), [])
    assert f"float32 {order}" in peek["pairs"][0]["plausible"]
    assert peek["pairs"][0]["float32"][order] == 230.1
    shown = "\n".join(lines(peek))
    assert "*230.1" in shown


def test_a_whole_number_of_moderate_size_is_marked() -> None:
    peek = peek_of("meters", 1, Table.HOLDING, words(struct.pack(">I", 123_456), 10), [])
    assert "int32 ABCD" in peek["pairs"][10]["plausible"]
    assert peek["pairs"][10]["int32"]["ABCD"] == 123_456


def test_text_and_signed_numbers_are_shown_and_zeros_make_no_pair() -> None:
    peek = peek_of("meters", 1, Table.HOLDING, words(b"SDM630v2" + b"\0\0\0\0" + b"\xff\xf6"), [])
    assert peek["texts"] == {0: "SDM630v2"}
    assert 4 not in peek["pairs"]
    shown = list(lines(peek))
    assert any(line.split()[:4] == ["6", "FFF6", "65526", "-10"] for line in shown)
    assert max(map(len, shown)) <= 80
    assert shown[-2].startswith("next: ")


def test_coils_are_shown_as_bits() -> None:
    peek = peek_of("meters", 1, Table.COIL, {"0": True, "1": False}, [])
    assert peek["registers"] == {0: 1, 1: 0}
    assert peek["pairs"] == {}
    assert [line.split() for line in lines(peek)][1:3] == [["0", "1"], ["1", "0"]]


STEP = "illegal data address: is the register input or holding, and does its manual count from 0 or from 1?"


@pytest.mark.parametrize(
    ("registers", "spans", "shown"),
    [
        ({}, ["0–5", "0–2", "0", "1–2", "3–5"], ["0–5"]),
        ({0: 7, 1: 8, 5: 9}, ["0–5", "0–2", "2", "3–5", "3–4"], ["2–4"]),
        ({1: 8}, ["0–2", "0", "2"], ["0, 2"]),
        ({0: 7, 1: 8}, ["0–1"], []),
    ],
)
def test_what_is_refused_is_said_once(registers: dict[int, int], spans: list[str], shown: list[str]) -> None:
    refusals = [f"refuses holding registers {span}: {STEP}" for span in spans]
    values = {str(address): value for address, value in registers.items()}
    peek = peek_of("meters", 1, Table.HOLDING, values, refusals)
    assert peek["refusals"] == [f"refuses holding registers {span}: {STEP}" for span in shown]


def test_each_reason_of_a_refusal_is_said() -> None:
    busy = "refuses holding registers 0–1: server device busy: it is asked too quickly"
    refusals = [f"refuses holding registers 0–3: {STEP}", busy, "refuses to speak"]
    peek = peek_of("meters", 1, Table.HOLDING, {}, refusals)
    assert peek["refusals"] == ["refuses to speak", busy, f"refuses holding registers 2–3: {STEP}"]
