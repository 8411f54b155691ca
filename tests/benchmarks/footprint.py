"""Memory and idle CPU of `serial-bridge run` with one bus and one sensor a minute."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bridge.simulator.field.sensors import SimulatedBus
from protocols.modbus.rtu import SimulatedUnit
from protocols.toolkit.polling import LineSettings

MOST_MB, MOST_CPU = 48, 0.005
SETTLE_S = 5.0
SITE = """\
site = "idle"
[thingsboard]
url = "coap://127.0.0.1:9"
[spool]
path = "{folder}/spool.db"
[bus.meters]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "9600 8N1"
[[bus.meters.sensor]]
name = "meter"
address = 1
every = "1m"
[bus.meters.sensor.registers]
voltage = {{ holding = 0, type = "uint16" }}
"""


def main(seconds: float = 60.0) -> None:
    """Runs it for so long and prints what it took."""
    unit = SimulatedUnit(1, holding={0: 230})
    line = LineSettings(9600)
    with tempfile.TemporaryDirectory() as name, SimulatedBus({1: unit}, line) as bus:
        folder = Path(name)
        (folder / "site.toml").write_text(SITE.format(folder=folder, adapter=bus.path))
        (folder / "credentials.toml").touch(mode=0o600)
        (folder / "credentials.toml").write_text('[sensors]\nmeter = "TOKEN"\n')
        command = [sys.executable, "-m", "bridge", "run", "--site", str(folder / "site.toml")]
        command += ["--credentials", str(folder / "credentials.toml")]
        environment = {**os.environ, "RUNTIME_DIRECTORY": str(folder / "run")}
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            try:
                time.sleep(SETTLE_S)
                started, before = time.monotonic(), cpu_s(process.pid)
                time.sleep(seconds)
                cpu = (cpu_s(process.pid) - before) / (time.monotonic() - started)
                memory = rss_mb(process.pid)
            finally:
                process.terminate()
    print(f"  RSS {memory:.1f} MB (at most {MOST_MB}), CPU {cpu:.2%} of a core (at most {MOST_CPU:.2%})")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    main(parser.parse_args().seconds)
