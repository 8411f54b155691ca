"""Builds SML frames from the rules of the specification, with nothing of the program in it."""

from __future__ import annotations

ESCAPE = b"\x1b" * 4
START = ESCAPE + b"\x01" * 4
LEFT_OUT = b"\x01"
OPEN, CLOSE, LIST, ATTENTION = 0x0101, 0x0201, 0x0701, 0xFF01
SERVER = bytes.fromhex("0a01545354000000002a")
ENERGY, POWER = bytes.fromhex("0100010800ff"), bytes.fromhex("0100100700ff")
WATT, WATT_HOUR = 27, 30


def crc(data: bytes) -> bytes:
    """CRC-16/X-25, bit by bit, its low octet first."""
    register = 0xFFFF
    for octet in data:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return (register ^ 0xFFFF).to_bytes(2, "little")


def octets(data: bytes) -> bytes:
    """An octet string; its length counts the octets that tell it."""
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


def message(tag: int, body: bytes, number: int = 1) -> bytes:
    head = octets(number.to_bytes(4, "big")) + unsigned(0, 1) + unsigned(0, 1)
    checked = b"\x76" + head + sequence(unsigned(tag, 2), body)
    return checked + b"\x63" + crc(checked) + b"\x00"


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
) -> bytes:
    told = sequence(*entries)
    return message(LIST, sequence(client, octets(server), name, time, told, signature, gateway_time), 2)


def opened(server: bytes = SERVER) -> bytes:
    body = sequence(LEFT_OUT, LEFT_OUT, octets(b"\x00\x07"), octets(server), LEFT_OUT, LEFT_OUT)
    return message(OPEN, body, 1)


def closed() -> bytes:
    return message(CLOSE, sequence(LEFT_OUT), 3)


def frame(*messages: bytes) -> bytes:
    data = b"".join(messages)
    fill = -len(data) % 4
    sent = START + data.replace(ESCAPE, ESCAPE + ESCAPE) + bytes(fill) + ESCAPE + bytes((0x1A, fill))
    return sent + crc(sent)


def telegram(*entries: bytes, server: bytes = SERVER) -> bytes:
    """A whole frame as a meter sends it, with one list."""
    return frame(opened(server), value_list(*entries, server=server), closed())
