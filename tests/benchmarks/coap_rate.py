"""POST/s against a server that answers like ThingsBoard: without the cap, and with it.

The server is a process of its own that answers every POST with a confirmable 2.01 and no acknowledgement, and
notes when each confirmable message arrived, retransmissions included.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection

from bridge.coap import Client

PATH = ("api", "v1", "A1B2C3D4E5F6G7H8I9J0", "telemetry")
BODY = b'[{"ts":1790000000000,"values":{"voltage":230.1,"current":4.25,"power":978.0}}]'
CON, CREATED = 0, 0x41  # RFC 7252 §3, §5.9.1.1


def main(*, uncapped_s: float = 5.0, capped_s: float = 20.0) -> None:
    """Print the figures."""
    for lanes in (1, 4):
        arrivals, elapsed_s = asyncio.run(_flood(lanes, None, uncapped_s))
        print(f"  {lanes} lane{'s' * (lanes > 1):2} no cap   {len(arrivals) / elapsed_s:7.0f} POST/s")
    arrivals, elapsed_s = asyncio.run(_flood(4, 150.0, capped_s))
    print(
        f"  4 lanes  cap 150  {len(arrivals) / elapsed_s:7.1f} POST/s over {elapsed_s:.0f} s, "
        f"at most {most_in_window(arrivals, 1)} CON in any second and "
        f"{most_in_window(arrivals, 60)} in any minute"
    )


async def _flood(lanes: int, rate: float | None, duration_s: float) -> tuple[list[float], float]:
    """When each confirmable request arrived, and how long the flood took."""
    ours, theirs = get_context("spawn").Pipe()
    server = get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    try:
        port = await asyncio.to_thread(ours.recv)
        async with Client("127.0.0.1", port, lanes=lanes, rate=rate) as client:
            await client.post(PATH, BODY)
            started_s = time.monotonic()

            async def lane() -> None:
                while time.monotonic() - started_s < duration_s:
                    await client.post(PATH, BODY)

            await asyncio.gather(*(lane() for _ in range(lanes)))
            elapsed_s = time.monotonic() - started_s
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", ("127.0.0.1", port))
        return (await asyncio.to_thread(ours.recv))[1:], elapsed_s
    finally:
        server.join(10)


def _serve(pipe: Connection) -> None:
    arrivals: list[float] = []
    mid = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        pipe.send(server.getsockname()[1])
        while True:
            datagram, client = server.recvfrom(2048)
            if not datagram:
                break
            first = datagram[0]
            if first >> 4 & 3 != CON:
                continue
            arrivals.append(time.monotonic())
            mid = mid + 1 & 0xFFFF
            token = datagram[4 : 4 + (first & 15)]
            server.sendto(struct.pack("!BBH", 0x40 | len(token), CREATED, mid) + token, client)
    pipe.send(arrivals)


def most_in_window(times: list[float], window_s: float) -> int:
    """Return the most of these ascending times within any window of that length."""
    first = most = 0
    for last, time_s in enumerate(times):
        while times[first] <= time_s - window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uncapped-s", type=float, default=5.0, help="length of each run without the cap")
    parser.add_argument("--capped-s", type=float, default=65.0, help="length of the run with the cap")
    main(**vars(parser.parse_args()))
