"""What a person sees and settles: the real command line on a real spool."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bridge.clock import Instant
from bridge.commands.terminal.app import app
from bridge.errors import ConfigError
from bridge.spool import Account, NothingToSalvage, Reading, SpoolAdmin, UnknownSensor
from tests.support.site import site_head

NOON_MS = 1_800_000_000_000
SITE = (
    site_head(adapter="/dev/null", spool="spool.db")
    + """\
[[bus.meters.sensor]]
name = "new"
address = 1
every = "10s"
[bus.meters.sensor.registers]
x = { holding = 0 }
"""
)


class Cabinet:
    """A spool in use, and somebody in front of it: seven readings, two refused, one without a date."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site.toml"
        self.site.write_text(SITE)
        self.spool = SpoolAdmin.open(folder / "spool.db")
        self.spool.add([self.reading(n, "old") for n in range(1, 5)])
        self.spool.add([self.reading(n, "new") for n in (5, 6)])
        self.spool.add([Reading("old", Instant("boot", 7), None, b'{"v":7}', 1)])
        self.spool.refuse(2, "4.00", "it alone is refused")
        self.spool.refuse(5, "4.00", "it alone is refused")

    @staticmethod
    def reading(number: int, sensor: str) -> Reading:
        return Reading(sensor, Instant("boot", number), NOON_MS + number, b'{"v":%d,"on":true}' % number, 2)

    def says(self, *arguments: str, given: str | None = None) -> Result:
        done = CliRunner().invoke(app, ["spool", *arguments, "--site", str(self.site)], input=given)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done


@pytest.fixture
def cabinet(tmp_path: Path) -> Iterator[Cabinet]:
    cabinet = Cabinet(tmp_path)
    yield cabinet
    assert cabinet.spool.audit() == []
    cabinet.spool.close()


def test_audit_says_that_the_books_balance(cabinet: Cabinet) -> None:
    done = cabinet.says("audit")
    assert (done.exit_code, done.stdout) == (
        0,
        "the books balance: 7 readings of 2 sensors, 5 queued\n",
    )
    assert json.loads(cabinet.says("audit", "--json").stdout) == {"discrepancies": []}


def test_audit_exits_1_with_a_line_for_each_discrepancy(cabinet: Cabinet, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "spool.db")) as forger, forger:
        forger.execute("UPDATE sensor SET queued = queued + 1")
    done = cabinet.says("audit")
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 4, "of each sensor, the equation and the rows"
    with closing(sqlite3.connect(tmp_path / "spool.db")) as forger, forger:
        forger.execute("UPDATE sensor SET queued = queued - 1")


def test_refused_shows_what_why_and_what_can_be_done(cabinet: Cabinet) -> None:
    text = cabinet.says("refused").stdout
    assert 'old  2027-01-15 08:00:00 UTC  4.00: it alone is refused\n    {"v": 2, "on": true}\n' in text
    assert "`serial-bridge spool retry` sends them again" in text
    assert json.loads(cabinet.says("refused", "new", "--json").stdout) == [
        {
            "sensor": "new",
            "ts": NOON_MS + 5,
            "state": "refused",
            "values": {"v": 5, "on": True},
            "answer": "4.00",
            "reason": "it alone is refused",
        }
    ]


def test_export_writes_everything_as_json_lines(cabinet: Cabinet) -> None:
    rows = [json.loads(line) for line in cabinet.says("export").stdout.splitlines()]
    assert [(row["values"]["v"], row["state"]) for row in rows] == [
        (1, "queued"),
        (3, "queued"),
        (4, "queued"),
        (6, "queued"),
        (7, "queued"),
        (2, "refused"),
        (5, "refused"),
    ]
    assert [row["ts"] for row in rows if row["values"]["v"] == 7] == [None]


def test_export_writes_a_sensor_as_csv(cabinet: Cabinet) -> None:
    rows = list(
        csv.DictReader(cabinet.says("export", "--sensor", "new", "--format", "csv").stdout.splitlines())
    )
    assert [(row["sensor"], row["ts"], row["key"], row["value"], row["state"]) for row in rows] == [
        ("new", str(NOON_MS + 6), "v", "6", "queued"),
        ("new", str(NOON_MS + 6), "on", "True", "queued"),
        ("new", str(NOON_MS + 5), "v", "5", "refused"),
        ("new", str(NOON_MS + 5), "on", "True", "refused"),
    ]


def test_retry_queues_again_what_was_refused(cabinet: Cabinet) -> None:
    assert cabinet.says("retry", "old").stdout.startswith("1 reading of old queued again")
    assert cabinet.spool.ledger()["old"] == Account(5, 0, 5, 0, 0, 0)
    assert cabinet.says("retry").stdout.startswith("1 reading queued again")
    assert cabinet.says("retry").stdout == "nothing was refused\n"
    with pytest.raises(UnknownSensor, match="it knows: new, old"):
        cabinet.says("retry", "odl")


def test_drop_asks_first(cabinet: Cabinet) -> None:
    before = cabinet.spool.ledger()
    done = cabinet.says("drop", "old", given="n\n")
    assert done.exit_code == 1
    assert "Give up 4 queued and 1 refused readings of old for good?" in done.stdout
    assert done.stderr == "nothing was dropped\n"
    assert cabinet.spool.ledger() == before
    assert "5 readings of old dropped" in cabinet.says("drop", "old", given="y\n").stdout
    assert cabinet.spool.ledger()["old"] == Account(5, 0, 0, 0, 0, 5)
    assert cabinet.says("drop", "old", "--yes").stdout == "nothing of old is queued or refused\n"


@pytest.mark.parametrize(
    "arguments",
    [["drop", "odl"], ["drop", "odl", "--yes"], ["refused", "odl"], ["export", "--sensor", "odl"]],
)
def test_a_sensor_that_nobody_knows_is_named_with_those_that_are(
    cabinet: Cabinet, arguments: list[str]
) -> None:
    with pytest.raises(UnknownSensor, match='never had a reading of "odl"; it knows: new, old'):
        cabinet.says(*arguments, given="n\n")


def test_drop_asks_nothing_where_nothing_is_at_stake(cabinet: Cabinet) -> None:
    cabinet.says("drop", "old", "--yes")
    assert cabinet.says("drop", "old", given="").stdout == "nothing of old is queued or refused\n"


def test_reassign_gives_them_to_a_sensor_of_the_site(cabinet: Cabinet) -> None:
    with pytest.raises(ConfigError, match='there is no sensor "nwe"; the sensors are: new'):
        cabinet.says("reassign", "old", "nwe")
    assert cabinet.says("reassign", "old", "new").stdout == "5 readings of old now are sent as those of new\n"
    assert cabinet.spool.ledger() == {"new": Account(7, 0, 5, 0, 2, 0), "old": Account(0, 0, 0, 0, 0, 0)}
    rows, _ = cabinet.spool.rows(7, limit=10)
    assert [(row.sensor, row.ts_ms) for row in rows] == [("new", NOON_MS + n) for n in (1, 3, 4)]


def test_salvage_says_what_came_back(cabinet: Cabinet, tmp_path: Path) -> None:
    with closing(SpoolAdmin.open(tmp_path / "other.db")) as other:
        other.add([cabinet.reading(n, "soil") for n in range(3)])
    file = tmp_path / "other.db"
    done = cabinet.says("salvage", str(file))
    assert done.stdout == f"3 readings queued again (soil 3); {file} is not needed any more\n"
    assert cabinet.says("salvage", str(file)).stdout == f"{file} holds nothing that is not back already\n"
    with pytest.raises(NothingToSalvage):
        cabinet.says("salvage", str(tmp_path / "spool.db"))
