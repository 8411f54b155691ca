"""Wiring: which parts run in this process, the order of start and stop, and the signals.

    run      every bus and the uplink in one process: containers, trials, the demo
    read     one bus: what serial-bridge@BUS.service runs
    uplink   the uplink alone: serial-bridge-uplink.service

A bus is one task and the uplink is one task. Whatever goes wrong in one is caught here, logged with its
traceback, and that task alone starts again; only a damaged spool ends the process, because a file can be set
aside only when nobody holds it any more. At the end the readers stop first, then what they read is committed,
then the uplink stops: nothing taken from a bus is lost by stopping.
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

from bridge.clock.kernel_clock import TOLD, system_clock
from bridge.config import Bus, Certificate, Credentials, CredentialsWatch, Site
from bridge.diagnostics import Memory
from bridge.errors import BridgeError, SpoolDamaged
from bridge.notify import notify, watchdog_s
from bridge.port.adapter import find_port
from bridge.reader import Reader
from bridge.runtime import Runtime
from bridge.spool import Spool, SpoolUnavailable, SpoolWriter, lock
from bridge.spool.locks import beside

if TYPE_CHECKING:
    from bridge.uplink import Uplink

log = logging.getLogger(__name__)

RESTART_AFTER_S = 5.0  # a part that failed for a reason nobody foresaw; soon enough to matter, no spinning


async def run(site: Site, credentials: Credentials, *, devices: Path | None = None) -> None:
    """Reads every bus and delivers, until SIGTERM or SIGINT.

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
    """Reads one bus into the spool, until SIGTERM or SIGINT. Errors as for `run`."""
    with lock(site.spool.path, f"bus-{bus.name}"):
        async with (
            reading(site, [bus], devices=devices) as advances,
            supervised(advances, site, f"bus-{bus.name}"),
        ):
            await _stop_signal()


async def uplink(site: Site, credentials: Credentials) -> None:
    """Delivers what the spool holds, until SIGTERM or SIGINT. Errors as for `run`."""
    with lock(site.spool.path, "uplink"):
        async with delivering(site, credentials) as advances, supervised(advances, site, "uplink"):
            await _stop_signal()


@asynccontextmanager
async def reading(
    site: Site, buses: Iterable[Bus], *, devices: Path | None = None
) -> AsyncIterator[Callable[[], bool]]:
    """Reads these buses while the block runs; at its end everything read is committed, or said to be lost.

    Yields: what tells whether every one of them gets on.
    """
    runtime = Runtime(site.spool.path)
    clock = system_clock(site.clock.trust, runtime)
    buses = list(buses)
    spool = Spool.open(site.spool.path, limit=site.spool.limit)
    clock.continue_after(spool.stamps())
    writer = SpoolWriter(
        spool,
        commit_every_s=site.spool.commit_every_s,
        leftovers=[beside(site.spool.path, f".bus-{bus.name}.waiting") for bus in buses],
        known=lambda: clock.known,
    )
    lost = 0
    readers: list[Reader] = []
    try:
        async with _tasks() as start:
            for bus in buses:
                reader = Reader(
                    bus,
                    writer,
                    clock,
                    publish=partial(runtime.publish, f"bus-{bus.name}"),
                    find_port=partial(find_port, bus, devices),
                    forgotten=partial(runtime.take_request, bus.name),
                    memory=Memory(beside(site.spool.path, f".bus-{bus.name}.json")),
                )
                readers.append(reader)
                start(f"bus {bus.name}", reader.run)
            yield lambda: all(reader.is_advancing() for reader in readers)
    finally:
        lost = await writer.close()
    if lost:
        raise SpoolUnavailable(f"{lost} readings are lost: {site.spool.path} did not take them to the end")


@asynccontextmanager
async def delivering(site: Site, credentials: Credentials) -> AsyncIterator[Callable[[], bool]]:
    """Delivers from the spool to ThingsBoard while the block runs, with credentials.toml as it is edited.

    Yields: what tells whether it gets on.
    """
    watch = CredentialsWatch(credentials, site)
    jobs: list[Uplink] = []
    async with _tasks() as start:
        start("uplink", partial(_deliver, site, watch, jobs))
        yield lambda: all(job.is_advancing() for job in jobs)


@asynccontextmanager
async def supervised(advances: Callable[[], bool], site: Site, *parts: str) -> AsyncIterator[None]:
    """Tells systemd, if it asks, that the service is up, that it gets on, and that it stops.

    Args:
        advances: whether the work itself moves; an event loop that turns is not enough. While it does not,
            systemd hears nothing, and ends the process: the journal then shows where each thread was.
        parts: of the site that this service runs. Their fingerprints stand in its status, where
            `serial-bridge install` finds with what it was started.
    """
    await asyncio.sleep(0)  # every task has begun
    started_with = ", ".join(f"{part} {site.fingerprints.get(part, '')}" for part in parts)
    notify("READY=1", f"STATUS=runs {started_with}")
    feeding = asyncio.create_task(_feed_watchdog(advances))
    try:
        yield
    finally:
        notify("STOPPING=1")
        feeding.cancel()


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
            log.error("the work does not get on: if it stays so, systemd starts this service again")
        did_advance = does_advance
        await asyncio.sleep(within_s / 4)


async def _deliver(site: Site, watch: CredentialsWatch, jobs: list[Uplink]) -> None:
    """The uplink, from its beginning with every edit of the credentials: whatever was held is tried again."""
    from bridge.clock.server_time import TimeKeeper  # here, because a reader starts sooner without
    from bridge.uplink import Uplink, connect
    from bridge.uplink.diagnostics import Diagnostics

    runtime = Runtime(site.spool.path)
    publish = partial(runtime.publish, "uplink")
    while True:
        shown = [each for each in watch.current.sensors.values() if isinstance(each, Certificate)]
        client, own_clients = connect(site.thingsboard, shown)
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
                    publish=partial(runtime.publish, TOLD),
                )
                running = [tasks.create_task(job.run()), tasks.create_task(keeper.run())]
                if site.thingsboard.diagnostics:
                    teller = Diagnostics(runtime, watch.current, client=client, own_clients=own_clients)
                    statistics = partial(_kept_running, "the statistics' delivery", teller.run)
                    running.append(tasks.create_task(statistics()))
                await watch.edited()
                for task in running:
                    task.cancel()
        finally:
            for each in (client, *own_clients.values()):
                await each.close()


@asynccontextmanager
async def _tasks() -> AsyncIterator[Callable[[str, Callable[[], Awaitable[None]]], None]]:
    """Starts jobs that are kept running while the block runs, and cancels them at its end.

    Raises:
        SpoolDamaged: a job found it, and the block was cancelled.
    """
    tasks: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:

            def start(name: str, job: Callable[[], Awaitable[None]]) -> None:
                tasks.append(group.create_task(_kept_running(name, job), name=name))

            yield start
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failed:
        if (damage := _damage(failed)) is None:
            raise
        raise damage from None


async def _kept_running(name: str, job: Callable[[], Awaitable[None]]) -> None:
    said = ""
    while True:
        try:
            await job()
        except Exception as error:
            if (damage := _damage(error)) is not None:
                raise damage from None
            foreseen = _foreseen(error)
            if foreseen is None:
                log.exception("%s failed; it starts again in %.0f s", name, RESTART_AFTER_S)
            elif str(foreseen) != said:
                said = str(foreseen)
                log.warning("%s: %s; it is tried again every %.0f s", name, foreseen, RESTART_AFTER_S)
        await asyncio.sleep(RESTART_AFTER_S)


def _damage(error: BaseException) -> SpoolDamaged | None:
    """The news that the spool is damaged, if this error or one of its group is that."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_damage, error.exceptions)), None)
    return error if isinstance(error, SpoolDamaged) else None


def _foreseen(error: BaseException) -> BridgeError | None:
    """What is wrong with the world, if this error, or all of its group, is that."""
    if isinstance(error, BaseExceptionGroup):
        causes = [_foreseen(each) for each in error.exceptions]
        return causes[0] if all(causes) else None
    return error if isinstance(error, BridgeError) else None


async def _stop_signal() -> None:
    """Returns when the process is asked to stop."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)  # to the end: a second one must not cut the stopping short
    await stop.wait()
    log.info("stopping: what was read is committed first")
