"""Wiring: which parts run in this process, the order of start and stop, and the signals.

    run      every bus and the uplink in one process: containers, trials, the demo
    read     one bus: what serial-bridge@BUS.service runs
    uplink   the uplink alone: serial-bridge-uplink.service

A bus is one task and the uplink is one task. An error in one of them is caught here, logged with its
traceback, and that task alone starts again; only a damaged spool ends the process, because a file can be set
aside only when no process has it open. At the end the readers stop first, then their readings are committed,
then the uplink stops: nothing read from a bus is lost by stopping.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.clock.kernel_clock import boot_id, boottime_ns, system_clock
from bridge.errors import BridgeError, SpoolDamaged
from bridge.spool import Spool, SpoolUnavailable, SpoolWriter, lock
from bridge.spool.locks import beside
from bridge.status.line_statistics import Memory
from bridge.status.publishing import bus_publisher, line_observer, publisher
from bridge.status.runtime import CLOCK, UPLINK, Runtime
from bridge.systemd import notify, watchdog_s

if TYPE_CHECKING:
    from bridge.config import Bus, Credentials, CredentialsWatch, Site
    from bridge.reader import Reader
    from bridge.reader.lending import Lender
    from bridge.uplink import Uplink

log = logging.getLogger(__name__)

RESTART_AFTER_S = 5.0  # a part that failed for a reason nobody foresaw; soon enough to matter, no spinning


async def run(site: Site, credentials: Credentials, *, devices: Path | None = None) -> None:
    """Read every bus and deliver, until SIGTERM or SIGINT.

    Args:
        devices: a folder with a link for each bus, by its name, used before the adapter in site.toml.

    Raises:
        AlreadyRunning: another process reads one of the buses or delivers from this spool.
    """
    async with AsyncExitStack() as stack:
        for bus in site.buses.values():
            stack.enter_context(lock(site.spool.path, f"bus-{bus.name}"))
        stack.enter_context(lock(site.spool.path, "uplink"))
        async with (
            delivering(site, credentials) as delivery_advances,
            reading(site, site.buses.values(), devices=devices) as reading_advances,
            supervised(lambda: delivery_advances() and reading_advances(), site, *site.fingerprints),
        ):
            await _stop_signal()


async def read(site: Site, bus: Bus, *, devices: Path | None = None) -> None:
    """Read one bus into the spool, until SIGTERM or SIGINT. Errors as for `run`."""
    with lock(site.spool.path, f"bus-{bus.name}"):
        async with (
            reading(site, [bus], devices=devices) as advances,
            supervised(advances, site, f"bus-{bus.name}"),
        ):
            await _stop_signal()


async def uplink(site: Site, credentials: Credentials) -> None:
    """Deliver the readings in the spool, until SIGTERM or SIGINT. Errors as for `run`."""
    with lock(site.spool.path, "uplink"):
        async with delivering(site, credentials) as advances, supervised(advances, site, "uplink"):
            await _stop_signal()


@asynccontextmanager
async def reading(
    site: Site, buses: Iterable[Bus], *, devices: Path | None = None
) -> AsyncIterator[Callable[[], bool]]:
    """Read these buses while the block runs; at its end commit everything that was read.

    Args:
        devices: as for `run`.

    Yields:
        A callable that returns True while all readers make progress.

    Raises:
        SpoolUnavailable: at the end of the block, readings could not be committed and are lost.
    """
    from bridge.port.adapter import find_port
    from bridge.reader import Reader  # here, because the uplink touches no port

    runtime = Runtime(site.spool.path)
    clock = system_clock(site.clock.trust, runtime)
    buses = list(buses)
    spool = Spool.open(site.spool.path, limit=site.spool.limit)
    clock.continue_after(spool.stamps())
    invocation_counters = spool.invocation_counters()
    writer = SpoolWriter(
        spool,
        commit_every_s=site.spool.commit_every_s,
        is_first_urgent=True,
        leftovers=[beside(site.spool.path, f".bus-{bus.name}.waiting") for bus in buses],
        known=lambda: clock.known,
    )
    lost_readings = 0
    readers: list[Reader] = []
    try:
        async with _tasks() as start:
            for bus in buses:
                reader = Reader(
                    bus,
                    writer,
                    clock,
                    publish=bus_publisher(
                        runtime, bus.name, site.fingerprints.get(f"bus-{bus.name}"), lambda: writer.backlog
                    ),
                    find_port=partial(find_port, bus, devices),
                    forgotten=partial(runtime.take_request, bus.name),
                    memory=Memory(beside(site.spool.path, f".bus-{bus.name}.json")),
                    invocation_counters=invocation_counters,
                    observe=line_observer(runtime, bus.name, boot_id(), lambda: boottime_ns() / 1e9),
                )
                readers.append(reader)
                start(f"bus {bus.name}", reader.run)
                if (lender := _lender(runtime, bus, reader)) is not None:
                    start(f"questions to bus {bus.name}", lender.run)
            yield lambda: all(reader.is_advancing() for reader in readers)
    finally:
        lost_readings = await writer.close()
    if lost_readings:
        raise SpoolUnavailable(
            f"{lost_readings} readings are lost: {site.spool.path} did not take them to the end"
        )


def _lender(runtime: Runtime, bus: Bus, reader: Reader) -> Lender | None:
    """Return what lends the line of a bus to `try`, `peek` and `sniff`; None if nobody can ask here."""
    from bridge.reader.lending import Lender

    try:
        return Lender(runtime.listen(bus.name), reader.answer_text, reader.tap)
    except OSError as error:
        log.warning("bus %s: its line cannot be lent to `try` (%s)", bus.name, error)
        return None


@asynccontextmanager
async def delivering(site: Site, credentials: Credentials) -> AsyncIterator[Callable[[], bool]]:
    """Deliver from the spool to ThingsBoard while the block runs, following edits of credentials.toml.

    Yields:
        A callable that returns True while the uplink makes progress.
    """
    from bridge.config import CredentialsWatch  # here, as what follows: a reader starts sooner without

    watch = CredentialsWatch(credentials, site)
    jobs: list[Uplink] = []
    async with _tasks() as start:
        start("uplink", partial(_deliver, site, watch, jobs))
        yield lambda: all(job.is_advancing() for job in jobs)


@asynccontextmanager
async def supervised(advances: Callable[[], bool], site: Site, *parts: str) -> AsyncIterator[None]:
    """Notify systemd, if it watches this process, that the service is up, makes progress, and stops.

    Args:
        advances: returns whether the work itself moves; a running event loop is not enough. While it returns
            False, systemd is not notified and ends the process: the journal then shows where each thread was.
        parts: the parts of the site that this service runs. Their fingerprints stand in the service's status,
            where `serial-bridge install` reads which configuration the service was started with.
    """
    await asyncio.sleep(0)  # every task has begun
    started_with = ", ".join(f"{part} {site.fingerprints.get(part, '')}" for part in parts)
    notify("READY=1", f"STATUS=runs {started_with}")
    watchdog = asyncio.create_task(_feed_watchdog(advances))
    try:
        yield
    finally:
        notify("STOPPING=1")
        watchdog.cancel()


async def _feed_watchdog(advances: Callable[[], bool]) -> None:
    within_s = watchdog_s()
    if within_s is None:
        return
    faulthandler.enable()
    did_advance = True
    while True:
        if does_advance := advances():
            notify("WATCHDOG=1")
        elif did_advance:
            log.error("no progress; systemd will restart this service if it continues")
        did_advance = does_advance
        await asyncio.sleep(within_s / 4)


async def _deliver(site: Site, watch: CredentialsWatch, jobs: list[Uplink]) -> None:
    """Run the uplink, anew after every edit of the credentials: held credentials are then tried again."""
    from bridge.config import Certificate
    from bridge.uplink import Uplink, connect
    from bridge.uplink.self_reports import self_reports
    from bridge.uplink.server_time import TimeKeeper

    runtime = Runtime(site.spool.path)
    publish = publisher(runtime, UPLINK, site.fingerprints.get(UPLINK))
    while True:
        certificates = [item for item in watch.current.sensors.values() if isinstance(item, Certificate)]
        client, own_clients = connect(site.thingsboard, certificates)
        try:
            async with asyncio.TaskGroup() as tasks:
                job = Uplink(
                    site.spool.path,
                    site,
                    watch.current,
                    client=client,
                    own_clients=own_clients,
                    publish=publish,
                )
                jobs[:] = [job]
                keeper = TimeKeeper(
                    system_clock(site.clock.trust, runtime),
                    client,
                    site,
                    publish=partial(runtime.publish, CLOCK),
                )
                running_tasks = [tasks.create_task(job.run()), tasks.create_task(keeper.run())]
                reports = self_reports(
                    site, watch.current, job, runtime=runtime, client=client, own_clients=own_clients
                )
                for name, report in reports:
                    running_tasks.append(tasks.create_task(_kept_running(name, report)))
                await watch.edited()
                for task in running_tasks:
                    task.cancel()
        finally:
            for connection in (client, *own_clients.values()):
                await connection.close()


@asynccontextmanager
async def _tasks() -> AsyncIterator[Callable[[str, Callable[[], Awaitable[None]]], None]]:
    """Start jobs, restart each that fails while the block runs, and cancel them at its end.

    Yields:
        A callable that starts a job, given its name for the log.

    Raises:
        SpoolDamaged: a job met a damaged spool, and the block was cancelled.
    """
    tasks: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:

            def start(name: str, job: Callable[[], Awaitable[None]]) -> None:
                tasks.append(group.create_task(_kept_running(name, job), name=name))

            yield start
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as error:
        if (damage := _damage(error)) is None:
            raise
        raise damage from None


async def _kept_running(name: str, job: Callable[[], Awaitable[None]]) -> None:
    last_warning = ""
    while True:
        try:
            await job()
        except Exception as error:
            if (damage := _damage(error)) is not None:
                raise damage from None
            foreseen = _foreseen(error)
            if foreseen is None:
                log.exception("%s failed; next try in %.0f s", name, RESTART_AFTER_S)
            elif str(foreseen) != last_warning:
                last_warning = str(foreseen)
                log.warning("%s: %s; next try every %.0f s", name, foreseen, RESTART_AFTER_S)
        await asyncio.sleep(RESTART_AFTER_S)


def _damage(error: BaseException) -> SpoolDamaged | None:
    """Return the error of a damaged spool, if it is this one or one of its group."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_damage, error.exceptions)), None)
    return error if isinstance(error, SpoolDamaged) else None


def _foreseen(error: BaseException) -> BridgeError | None:
    """Return the `BridgeError`, if this error is one, or the first of a group that has only such errors."""
    if isinstance(error, BaseExceptionGroup):
        causes = [_foreseen(cause) for cause in error.exceptions]
        return causes[0] if all(causes) else None
    return error if isinstance(error, BridgeError) else None


async def _stop_signal() -> None:
    """Wait for SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)  # to the end: a second one must not cut the stopping short
    await stop.wait()
    log.info("stopping: the readings taken so far are committed first")
