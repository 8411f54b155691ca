"""Decoding a reply of 2, 10, 60 and 125 registers, frame to values: ours, pymodbus's, and a struct by hand.

Ours is all that runs between the bytes and the values: the framer with its CRC, whether the frame answers
the request, the values by name. The framer is there when a reply comes: the line makes one for each request,
while that is on the wire; what it takes is printed by itself. By hand is the least that could be: CRC, one
struct, a dict.
"""

from __future__ import annotations

import struct
import time
import timeit
from collections.abc import Callable
from functools import partial

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from protocols.modbus import pdu
from protocols.modbus.payload import Fetch
from protocols.modbus.plan import Read, Span
from protocols.modbus.registers import Register, Table
from protocols.modbus.serial_line import RTU, ReplyFramer, RequestFramer, StreamFramer, adu
from protocols.toolkit.checksum import crc16_modbus
from protocols.toolkit.framing import Frame, Framer
from protocols.toolkit.polling import Values
from tests.benchmarks import table

SIZES = (2, 10, 60, 125)
MEGABYTE = 1 << 20


def main(*, repeat: int = 7) -> list[table.Row]:
    """Print the figures, and return them as rows of a table."""
    rows = [table.Row("decoding a reply", "serial-bridge", "pymodbus", "struct by hand")]
    for count in SIZES:
        reply = adu(1, bytes((3, 2 * count)) + struct.pack(f">{count}H", *range(1000, 1000 + count)))
        contenders = (_ours(count, reply), _pymodbus(reply), _by_hand(count, reply))
        ours, rival, by_hand = (_microseconds(contender, repeat) for contender in contenders)
        print(
            f"  {count:3} registers: {ours:6.2f} µs, {rival / ours:.1f} times as fast as pymodbus, "
            f"{ours / by_hand:.1f} × struct by hand"
        )
        rows.append(table.Row(f"{count} registers", f"{ours:.1f} µs", f"{rival:.1f} µs", f"{by_hand:.1f} µs"))
    request = adu(1, bytes((3, 0, 0, 0, 2)))
    framer_us = _microseconds(partial(ReplyFramer, request), repeat)
    print(f"  a framer, made while its request is on the wire: {framer_us:.2f} µs")
    for name, noise in NOISE.items():
        for made in (StreamFramer, RequestFramer, partial(ReplyFramer, adu(1, bytes((3, 0, 0, 0, 125))))):
            half_s, whole_s = (_noise_s(made(), noise, size) for size in (MEGABYTE // 2, MEGABYTE))
            kind = type(made()).__name__
            print(
                f"  1 MB of {name:<22} {kind:<14} {whole_s:.3f} s of CPU, {whole_s / half_s:.2f} × half of it"
            )
    return rows


NOISE = {
    "zeros": b"\0",
    "reply heads": bytes((1, 3, 250)),
    "broken replies": bytes((1, 3, 4, 0, 0, 0, 0, 0, 0)),
    "longest write heads": bytes((1, 16, 0, 0, 0, 123, 246)),
    "all octets in turn": bytes(range(256)),
}


def _ours(count: int, reply: bytes) -> Callable[[], Values]:
    registers = tuple(Register(name=f"r{at}", table=Table.HOLDING, start=at) for at in range(count))
    read = Read(Table.HOLDING, tuple(Span(at, at + 1) for at in range(count)))
    fetch = Fetch(RTU, 1, read, [registers])

    framer = fetch.request.framer()

    def decode() -> Values:
        (event,) = framer.feed(reply)
        assert isinstance(event, Frame)
        assert fetch.request.accepts(event)
        values: Values = {}
        fetch.into((values,), pdu.reply_data(RTU.body(event)))
        return values

    assert decode() == {f"r{at}": 1000 + at for at in range(count)}
    return decode


def _pymodbus(reply: bytes) -> Callable[[], object]:
    framer = FramerRTU(DecodePDU(False))
    return lambda: framer.handleFrame(reply, 1, 0)[1]


def _by_hand(count: int, reply: bytes) -> Callable[[], Values]:
    plan = struct.Struct(f">{count}H")
    names = [f"r{at}" for at in range(count)]

    def decode() -> Values:
        assert reply[0] == 1
        assert not crc16_modbus(reply)
        return dict(zip(names, plan.unpack_from(reply, 3), strict=True))

    return decode


def _microseconds(decode: Callable[[], object], repeat: int) -> float:
    return 1e6 * min(timeit.repeat(decode, number=1000, repeat=repeat)) / 1000


def _noise_s(framer: Framer, noise: bytes, size: int) -> float:
    """CPU for so many octets of it, in chunks of 1 KiB."""
    data = (noise * (size // len(noise) + 1))[:size]
    before = time.process_time()
    for at in range(0, size, 1024):
        framer.feed(data[at : at + 1024])
    framer.silence()
    return time.process_time() - before


if __name__ == "__main__":
    main()
