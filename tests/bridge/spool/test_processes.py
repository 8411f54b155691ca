"""Real processes that share a spool, and what is left of it when one is killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from bridge.clock import Instant
from bridge.spool import Reading, SpoolAdmin

WRITE = """
import sys
from pathlib import Path
from bridge.clock import Instant
from bridge.spool import Reading, SpoolAdmin

path, sensor, groups = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
spool = SpoolAdmin.open(path)
number = 0
while groups:
    group = [Reading(sensor, Instant("boot", n), n, b'{"v":%d}' % n, 1) for n in range(number, number + 7)]
    spool.add(group)
    number += 7
    groups -= 1
    print(number, flush=True)
spool.close()
"""

DELIVER = """
import sys
from pathlib import Path
from bridge.clock import Instant
from bridge.spool import Reading, SpoolAdmin

spool = SpoolAdmin.open(Path(sys.argv[1]))
after = delivered = 0
while delivered < int(sys.argv[2]):
    rows, after = spool.rows(after, limit=100)
    spool.confirm(row.id for row in rows)
    delivered += len(rows)
spool.close()
"""


FILL_A_DISK = """
import json, sys
from pathlib import Path
from bridge.clock import Instant
from bridge.errors import SpoolFull
from bridge.spool import Reading, SpoolAdmin

path = Path(sys.argv[1])
reader, uplink = SpoolAdmin.open(path), SpoolAdmin.open(path)
group = [Reading("meter", Instant("boot", n), n, bytes(200), 1) for n in range(500)]
while True:
    try:
        reader.add(group)
    except SpoolFull:
        break
full = uplink.ledger()["meter"].read
had_reserve = path.with_name("spool.db.reserve").exists()
after = 0
while True:
    rows, after = uplink.rows(after, limit=500)
    if not rows:
        break
    uplink.confirm(row.id for row in rows)
reader.add(group)
account = reader.ledger()["meter"]
print(json.dumps({
    "full": full, "had_reserve": had_reserve, "delivered": account.delivered, "queued": account.queued,
    "audit": reader.audit(),
}))
"""

A_SMALL_DISK = 'mount -t tmpfs -o size=12m tmpfs "$1" && exec "$2" -c "$3" "$1/spool.db"'


def start(program: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE)


def output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


@pytest.mark.parametrize("seed", range(5))
def test_what_was_committed_survives_a_kill(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "spool.db"
    with start(WRITE, path, "meter", 1_000_000) as writer:
        for _ in range(random.Random(seed).randrange(1, 120)):
            output(writer).readline()
        writer.kill()
        told = [0, *map(int, output(writer).read().split(b"\n")[:-1])]
    committed = max(told)
    with closing(SpoolAdmin.open(path)) as spool:
        assert spool.audit() == []
        account = spool.ledger()["meter"]
        assert account.read == account.queued >= committed
        bodies = {row.body for row in spool.rows(0, limit=100_000)[0]}
        assert bodies == {b'{"v":%d}' % number for number in range(account.read)}
    assert list(tmp_path.glob("*.damaged*")) == []


def test_readers_and_an_uplink_work_at_once(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    processes = [
        start(WRITE, path, "a", 100),
        start(WRITE, path, "b", 100),
        start(DELIVER, path, 1400),
    ]
    for process in processes:
        with process:
            output(process).read()
        assert process.returncode == 0
    with closing(SpoolAdmin.open(path)) as spool:
        assert spool.audit() == []
        for sensor in ("a", "b"):
            account = spool.ledger()[sensor]
            assert (account.read, account.delivered, account.queued) == (700, 700, 0)


def test_somebody_settles_things_while_readers_and_an_uplink_work(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    processes = [start(WRITE, path, "a", 150), start(WRITE, path, "b", 150), start(DELIVER, path, 1000)]
    with closing(SpoolAdmin.open(path)) as spool:
        for _ in range(2):
            for sensor in ("a", "b"):
                output(processes["ab".index(sensor)]).readline()
            rows, _ = spool.rows(0, limit=5)
            for row in rows:
                spool.refuse(row.id, "4.00", "no")
            spool.reassign("a", "b")
            assert {kept.sensor for kept in spool.queued()} <= {"a", "b"}
            spool.retry()
            spool.drop("b")
        for process in processes[:2]:
            with process:
                output(process).read()
            assert process.returncode == 0
        spool.add([Reading("c", Instant("boot", n), n, b'{"v":1}', 1) for n in range(1000)])
        with processes[2]:
            pass
        assert processes[2].returncode == 0
        assert spool.audit() == []
        assert sum(account.read for account in spool.ledger().values()) == 2 * 150 * 7 + 1000


def test_a_disk_that_is_really_full_can_be_emptied_and_used_again(tmp_path: Path) -> None:
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets no one but root mount a small disk")
    done = subprocess.run(
        [*namespace, "sh", "-c", A_SMALL_DISK, "sh", tmp_path, sys.executable, FILL_A_DISK],
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["full"] > 10_000
    assert told["had_reserve"]
    assert told["delivered"] == told["full"]
    assert told["queued"] == 500
    assert told["audit"] == []
