"""Builds SML frames from the rules of the specification, with nothing of the program in it."""

from __future__ import annotations

from collections.abc import Callable

Check = Callable[[bytes], bytes]

ESCAPE = b"\x1b" * 4
START = ESCAPE + b"\x01" * 4
LEFT_OUT = b"\x01"
OPEN, CLOSE, LIST, ATTENTION = 0x0101, 0x0201, 0x0701, 0xFF01
SERVER = bytes.fromhex("0a01545354000000002a")
ENERGY, POWER = bytes.fromhex("0100010800ff"), bytes.fromhex("0100100700ff")
WATT, WATT_HOUR = 27, 30


def crc(data: bytes) -> bytes:
    """CRC-16/X-25, bit by bit, its low octet first."""
    return (_remainder(data, 0xFFFF) ^ 0xFFFF).to_bytes(2, "little")


def kermit(data: bytes) -> bytes:
    """CRC-16/Kermit, bit by bit, its high octet first."""
    return _remainder(data, 0).to_bytes(2, "big")


def _remainder(data: bytes, register: int) -> int:
    for octet in data:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return register


def octets(data: bytes) -> bytes:
    """Return an octet string; its length counts the octets that tell it."""
    if len(data) < 15:
        return bytes((len(data) + 1,)) + data
    length = len(data) + 2
    if length < 256:
        return bytes((0x80 | length >> 4, length & 15)) + data
    length += 1
    return bytes((0x80 | length >> 8, 0x80 | length >> 4 & 15, length & 15)) + data


def signed(value: int, size: int) -> bytes:
    return bytes((0x51 + size,)) + value.to_bytes(size, "big", signed=True)


def unsigned(value: int, size: int) -> bytes:
    return bytes((0x61 + size,)) + value.to_bytes(size, "big")


def boolean(value: bool) -> bytes:
    return b"\x42" + (b"\x01" if value else b"\x00")


def sequence(*elements: bytes) -> bytes:
    count = len(elements)
    head = bytes((0x70 | count,)) if count < 16 else bytes((0xF0 | count >> 4, count & 15))
    return head + b"".join(elements)


def seconds(index: int) -> bytes:
    """A time, in seconds of the meter's own count."""
    return sequence(unsigned(1, 1), unsigned(index, 4))


def message(tag: int, body: bytes, number: int = 1, check: Check = crc) -> bytes:
    head = octets(number.to_bytes(4, "big")) + unsigned(0, 1) + unsigned(0, 1)
    checked = b"\x76" + head + sequence(unsigned(tag, 2), body)
    return checked + b"\x63" + check(checked) + b"\x00"


def entry(
    code: bytes,
    value: bytes,
    unit: int | None = None,
    scaler: int | None = None,
    status: bytes = LEFT_OUT,
    time: bytes = LEFT_OUT,
    signature: bytes = LEFT_OUT,
) -> bytes:
    return sequence(
        octets(code),
        status,
        time,
        LEFT_OUT if unit is None else unsigned(unit, 1),
        LEFT_OUT if scaler is None else signed(scaler, 1),
        value,
        signature,
    )


def value_list(
    *entries: bytes,
    server: bytes = SERVER,
    client: bytes = LEFT_OUT,
    name: bytes = LEFT_OUT,
    time: bytes = LEFT_OUT,
    signature: bytes = LEFT_OUT,
    gateway_time: bytes = LEFT_OUT,
    check: Check = crc,
) -> bytes:
    told = sequence(*entries)
    body = sequence(client, octets(server), name, time, told, signature, gateway_time)
    return message(LIST, body, 2, check)


def opened(server: bytes = SERVER, check: Check = crc) -> bytes:
    body = sequence(LEFT_OUT, LEFT_OUT, octets(b"\x00\x07"), octets(server), LEFT_OUT, LEFT_OUT)
    return message(OPEN, body, 1, check)


def closed(check: Check = crc) -> bytes:
    return message(CLOSE, sequence(LEFT_OUT), 3, check)


def frame(*messages: bytes, check: Check = crc) -> bytes:
    data = b"".join(messages)
    fill = -len(data) % 4
    sent = START + data.replace(ESCAPE, ESCAPE + ESCAPE) + bytes(fill) + ESCAPE + bytes((0x1A, fill))
    return sent + check(sent)


def telegram(*entries: bytes, server: bytes = SERVER, check: Check = crc) -> bytes:
    """A whole frame as a meter sends it, with one list."""
    told = value_list(*entries, server=server, check=check)
    return frame(opened(server, check), told, closed(check), check=check)
