"""A flush of 1600 readings, cut in its middle by 25 s of silence: when is each sensor drained after that?

Four sensors, answers after 60 ms. Several runs, over coap and over coaps.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import read_ledger
from tests.benchmarks.stock import Stopwatch, fill, until, uplink, write_site
from tests.support.certificates import Authority

SENSORS = ["a", "b", "c", "d"]
READINGS = 400  # of each
ANSWER_S = 0.06
CUT_AT = 400  # readings arrived
SILENCE_S = 25.0
DRAINED_S = 20.0


def main(*, runs: int = 5, secure: bool = False) -> bool:
    """Print when the first and the last sensor was drained in each run; return whether all were in time."""
    slowest = []
    for number in range(runs):
        drained = asyncio.run(_run(secure))
        slowest.append(max(drained.values()))
        times = ", ".join(f"{sensor} {drained_s:.1f} s" for sensor, drained_s in drained.items())
        print(f"  {'coaps' if secure else 'coap'} {number + 1}: {times}", flush=True)
    good = max(slowest) <= DRAINED_S
    print(
        f"  {len(SENSORS) * READINGS} readings, {SILENCE_S:.0f} s of silence: slowest sensor drained after "
        f"{max(slowest):.1f} s (at most {DRAINED_S:.0f}): {'kept' if good else 'NOT KEPT'}"
    )
    return good


async def _run(is_secure: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority(folder)
        own = authority.server()
        secure = Secure(own.certificate, own.key, {}) if is_secure else None
        server = StandIn([sensor.upper() for sensor in SENSORS], secure=secure)
        server.faults.answer_s = (ANSWER_S, ANSWER_S)
        await server.start()
        write_site(folder, server.port, SENSORS)
        if is_secure:
            site = (folder / "site.toml").read_text()
            url = f"127.0.0.1:{server.port}"
            site = site.replace(f'"coap://{url}"', f'"coaps://{url}"\nca = "{authority.path}"')
            (folder / "site.toml").write_text(site)
        fill(folder, SENSORS, READINGS)
        drained: dict[str, float] = {}
        with uplink(folder):
            await until(lambda: server.received.entries >= CUT_AT)
            server.cut()
            await asyncio.sleep(SILENCE_S)
            server.restore()
            watch = Stopwatch()
            while len(drained) < len(SENSORS):
                for sensor in set(SENSORS) - drained.keys():
                    if len(server.stored.get(sensor.upper(), {}).get("v0", {})) == READINGS:
                        drained[sensor] = watch.s
                await asyncio.sleep(0.02)
        await server.stop()
        books = read_ledger(folder / "spool.db")
        assert all(books[sensor].delivered == READINGS for sensor in SENSORS)
    return dict(sorted(drained.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--secure", action="store_true", help="over coaps")
    raise SystemExit(not main(**vars(parser.parse_args())))
