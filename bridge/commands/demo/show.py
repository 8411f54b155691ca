"""The whole job on one screen, with neither hardware nor server.

Three simulated sensors on a 9600-baud bus, the real reader, spool and uplink, and a stand-in for ThingsBoard.
After 10 s the server falls silent, after 20 s it is back: the backlog grows and drains. At the end the reader
stops, the rest is delivered, and the ledger is held against what the server stored.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections import deque
from contextlib import AsyncExitStack
from pathlib import Path

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bridge.commands.status.sentences import age
from bridge.commands.status.snapshot import COLUMNS, collect
from bridge.config import Credentials, Site, load
from bridge.gateway import delivering, reading
from bridge.simulator.field.sensors import simulate
from bridge.simulator.server.stand_in import StandIn
from protocols.toolkit.polling import Values

OUTAGE_FROM_S, OUTAGE_UNTIL_S = 10.0, 20.0
DRAIN_WITHIN_S = 15.0  # after the last reading; an outage that is still on would cost this much more
SCREEN_EVERY_S, LINE_EVERY_S = 0.5, 2.0
PAPER_WIDTH = 120  # columns, where there is no terminal to ask

TOKENS = {"main-meter": "DEMO_MAIN_METER", "cold-room": "DEMO_COLD_ROOM", "boiler": "DEMO_BOILER"}
SITE = """\
site = "demo"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{folder}/spool.db"
commit_every = "500ms"

[bus.meters]
adapter = "{folder}/meters"
protocol = "modbus-rtu"
line = "9600 8N1"

[[bus.meters.sensor]]
name = "main-meter"
address = 1
model = "eastron-sdm120"
every = "1s"

[[bus.meters.sensor]]
name = "cold-room"
address = 2
model = "xy-md02"
every = "1s"

[[bus.meters.sensor]]
name = "boiler"
address = 3
every = "1s"
[bus.meters.sensor.registers]
temperature = {{ holding = 0, type = "int16", divide = 10, unit = "°C" }}
pressure = {{ holding = 1, type = "uint16", divide = 100, unit = "bar" }}
burner = {{ coil = 0 }}
"""


async def show(seconds: float) -> int:
    """Run the demo for `seconds`, then deliver the backlog.

    Returns:
        The exit code: 0 if the ledger balances and every reading arrived, else 1.
    """
    console = Console()
    if not console.is_terminal:
        console.width = PAPER_WIDTH
    with tempfile.TemporaryDirectory(prefix="serial-bridge-demo-") as folder:
        server = StandIn(tokens=set(TOKENS.values()))
        port = await server.start()
        site = _site(Path(folder), port)
        view = _Screen(console) if console.is_terminal else _Lines()
        started = time.monotonic()
        try:
            async with AsyncExitStack() as uplink, AsyncExitStack() as reader:
                reader.enter_context(simulate(site, Path(folder)))
                await uplink.enter_async_context(delivering(*_loaded(Path(folder))))
                await reader.enter_async_context(reading(site, site.buses.values()))
                with view:
                    while (elapsed := time.monotonic() - started) < seconds:
                        cut = OUTAGE_FROM_S <= elapsed < OUTAGE_UNTIL_S
                        server.faults.silent = cut
                        view.update(site, _headline(elapsed, cut=cut))
                        await asyncio.sleep(view.every_s)
                    server.faults.silent = False
                    await reader.aclose()
                    while _queued(site) and time.monotonic() - started < seconds + DRAIN_WITHIN_S:
                        view.update(site, "the reader has stopped; the rest is being delivered")
                        await asyncio.sleep(view.every_s)
                    view.update(site, "done")
        finally:
            await server.stop()
        return _closing(console, site, server)


class _Screen:
    """A live table, for a terminal."""

    every_s = SCREEN_EVERY_S

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._events = _Events()

    def __enter__(self) -> _Screen:
        logging.getLogger("bridge").addHandler(self._events)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        logging.getLogger("bridge").removeHandler(self._events)

    def update(self, site: Site, headline: str) -> None:
        status = collect(site)
        table = Table(title=headline, title_justify="left")
        for heading in ("sensor", "values", "age", "read", "delivered", "queued"):
            table.add_column(heading, justify="right" if heading not in ("sensor", "values") else "left")
        for name, row in status["sensors"].items():
            table.add_row(
                name,
                values(row["last_values"]),
                age(row["last_ts"]),
                *(str(row[column]) for column in ("read", "delivered", "queued")),
            )
        self._live.update(Group(table, *map(Text, self._events.latest)), refresh=True)


class _Lines:
    """One line every two seconds, for a pipe or a log."""

    every_s = LINE_EVERY_S

    def __init__(self) -> None:
        self._events = _Events()

    def __enter__(self) -> _Lines:
        logging.getLogger("bridge").addHandler(self._events)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("bridge").removeHandler(self._events)

    def update(self, site: Site, headline: str) -> None:
        status = collect(site)
        books = status["ledger"]
        firsts = (values(row["last_values"], 1).removesuffix(" …") for row in status["sensors"].values())
        latest = ", ".join(filter(None, firsts))
        while self._events.latest:
            typer.echo(f"  {self._events.latest.popleft()}")
        typer.echo(
            f"{headline:<52} read {books['read']:>3}  delivered {books['delivered']:>3}  "
            f"queued {books['queued']:>3}   {latest}"
        )


class _Events(logging.Handler):
    """The last few warnings in the bridge's log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.latest: deque[str] = deque(maxlen=4)

    def emit(self, record: logging.LogRecord) -> None:
        self.latest.append(record.getMessage())


def _site(folder: Path, port: int) -> Site:
    (folder / "site.toml").write_text(SITE.format(port=port, folder=folder))
    secrets = folder / "credentials.toml"
    secrets.touch(mode=0o600)
    secrets.write_text("[sensors]\n" + "".join(f'{sensor} = "{token}"\n' for sensor, token in TOKENS.items()))
    return _loaded(folder)[0]


def _loaded(folder: Path) -> tuple[Site, Credentials]:
    return load(folder / "site.toml", folder / "credentials.toml")


def _headline(elapsed: float, *, cut: bool) -> str:
    if cut:
        return f"{elapsed:4.0f} s  the server is silent: readings wait"
    return f"{elapsed:4.0f} s  reading and delivering"


def _queued(site: Site) -> int:
    return collect(site)["ledger"]["queued"]


def _closing(console: Console, site: Site, server: StandIn) -> int:
    """Print the ledger beside the server's store; return 0 if they agree and no reading waits, else 1."""
    status = collect(site)
    table = Table(title="The ledger, beside what the server stored", title_justify="left")
    for heading in ("sensor", *COLUMNS, "on the server"):
        table.add_column(heading, justify="left" if heading == "sensor" else "right")
    agrees = True
    for name, token in TOKENS.items():
        row = status["sensors"][name]
        stored = len({ts for series in server.stored.get(token, {}).values() for ts in series})
        agrees &= row["delivered"] == stored
        table.add_row(name, *(str(row[column]) for column in COLUMNS), str(stored))
    console.print(table)
    books = status["ledger"]
    balanced = books["read"] == sum(books[column] for column in COLUMNS[1:])
    typer.echo(
        f"read {books['read']} = "
        + " + ".join(f"{column} {books[column]}" for column in COLUMNS[1:])
        + ": "
        + ("the books balance" if balanced else "THE BOOKS DO NOT BALANCE")
        + ("" if agrees else "; THE SERVER STORED SOMETHING ELSE")
    )
    return 0 if balanced and agrees and books["queued"] == 0 and books["read"] else 1


def values(last: Values | None, most: int = 4) -> str:
    """Return the first few values of a sensor, for a cell of a table."""
    texts = [f"{key} {value}" for key, value in list((last or {}).items())[:most]]
    return ", ".join(texts) + (" …" if last and len(last) > most else "")
