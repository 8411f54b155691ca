"""`python -m tests.benchmarks.noise [PROTOCOL …]`: what a megabyte of the worst on a line costs a framer.

Zeros, random octets, and of a good frame: its first octets again and again, its first half, all of it but the
end, all of it with a wrong check. Best of three runs, in chunks as large as a burst and as small as a UART's.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

from protocols import CATALOGUE, load
from protocols.declared import declaration, protocol_of
from protocols.toolkit.protocol import Protocol
from tests.protocols.vector_file import stems_of
from tests.protocols.vectors import good_frames

MEGABYTE = 1 << 20
CHUNKS = 64, 4096
RUNS = 3
DECLARED = [  # sync, length, checksum: of usual frames, and of the dearest one
    ("42 4D", 255, "crc16-modbus"),
    ("42 4D", 255, "sum16"),
    ("42 4D", 255, "xor8"),
    ("42", 1023, "xor8"),
]


def main(*names: str) -> None:
    """Print for each protocol its dearest noise."""
    for name in names or CATALOGUE:
        if any(stems_of(name)):
            _show(name, load(name), good_frames(name))
    for sync, length, checksum in DECLARED if not names or "declared" in names else ():
        frame = {"sync": sync, "length": length, "checksum": checksum, "fields": {"value": {}}}
        declared = declaration({"frame": frame})
        good = declared.frame.build({"value": 0})
        _show(f"{length} octets, {checksum}, {sync}", protocol_of(declared), [good])


def _show(name: str, entry: Protocol, good: list[bytes]) -> None:
    costs = {
        (what, chunk): min(_seconds(entry, data, chunk) for _ in range(RUNS))
        for what, data in _noises(good)
        for chunk in CHUNKS
    }
    (what, chunk), worst = max(costs.items(), key=lambda cost: cost[1])
    print(f"  {name:<24} {worst:.2f} s of CPU for 1 MB of {what}, {chunk} octets at a time", flush=True)


def _noises(good: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield each kind with a megabyte of it."""
    shortest, longest = min(good, key=len), max(good, key=len)
    yield "zeros", bytes(MEGABYTE)
    yield "random octets", random.Random(1).randbytes(MEGABYTE)
    for octets in (1, 2, 3, 5, 8):
        yield f"{octets} first octets", _filled(longest[:octets])
    yield "first halves", _filled(longest[: len(longest) // 2 + 1])
    yield "frames without their end", _filled(longest[:-1])
    for frame in (shortest, longest):
        spoiled = bytearray(frame)
        spoiled[len(frame) // 2] ^= 1
        yield f"damaged frames of {len(frame)}", _filled(bytes(spoiled))


def _filled(piece: bytes) -> bytes:
    return (piece * (MEGABYTE // len(piece) + 1))[:MEGABYTE]


def _seconds(entry: Protocol, data: bytes, chunk: int) -> float:
    framer = entry.framer()
    before = time.process_time()
    for at in range(0, len(data), chunk):
        framer.feed(data[at : at + chunk])
    framer.silence()
    return time.process_time() - before


if __name__ == "__main__":
    main(*sys.argv[1:])
