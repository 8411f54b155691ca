"""A day of a site against ThingsBoard's rule of activity, on a virtual clock: is every alarm true?

    python -m tests.faults.activity              24 hours, as the bridge is and as it was, side by side
    python -m tests.faults.activity --hours 6

The uplink, its reports and the spool are the real ones; so are the stand-in's resources and its rule of
activity. The wire is not there: a sensor is a schedule of readings, of deaths and of returns, and a datagram
is a pause of 50 ms. "As it was" posts each sensor's line statistics to the sensor's own device, every quarter
of an hour and when its state changes, and has no device for the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bridge.clock import Instant
from bridge.coap import Stats
from bridge.commands.thingsboard import timing
from bridge.config import Bus, ClockSettings, Credentials, Sensor, Site, SpoolSettings, ThingsBoard, Token
from bridge.errors import UplinkError
from bridge.response_code import ResponseCode
from bridge.simulator.server import message as coap
from bridge.simulator.server.activity import Activity, WatchedDevice
from bridge.simulator.server.device_api import DeviceApi
from bridge.spool import Reading, Spool
from bridge.status.runtime import UPLINK, Runtime
from bridge.thingsboard import encode_values
from bridge.uplink import Pace, Uplink
from bridge.uplink.self_reports import self_reports
from tests.support.loop import JumpingLoop
from tests.support.tables import bare

HOUR = 3600.0
GATEWAY = "gateway"
EPOCH_MS = 1_800_000_000_000
MISSES = 3  # polls, until a reader calls a sensor silent
ROUND_TRIP_S = 0.05
SILENCE_S = 15.0  # until a client gives an unanswered request up
SETTLING_S = 30.0  # a link that was away: the first pings, and live readings


@dataclass(frozen=True)
class Span:
    """From one hour to another."""

    begin_h: float
    end_h: float

    def holds(self, at_s: float) -> bool:
        return self.begin_h * HOUR <= at_s < self.end_h * HOUR


@dataclass(frozen=True)
class PlayedSensor:
    """A sensor: how often it is read, and when it is dead."""

    name: str
    every_s: float
    deaths: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What happens in the time that is played."""

    sensors: tuple[PlayedSensor, ...]
    outages: tuple[Span, ...] = ()
    kills: tuple[Span, ...] = ()
    restarts_h: tuple[float, ...] = ()
    hours: float = 24.0

    def is_down(self, at_s: float) -> bool:
        return any(span.holds(at_s) for span in self.outages)

    def is_killed(self, at_s: float) -> bool:
        return any(span.holds(at_s) for span in self.kills)


DAY = Plan(
    sensors=(
        PlayedSensor("plain", 10, (Span(1, 2), Span(7.5, 8.5), Span(21, 22))),
        PlayedSensor("in-outage", 10, (Span(3.2, 6),)),
        PlayedSensor("before-outage", 10, (Span(2.97, 5),)),
        PlayedSensor("back-in-outage", 10, (Span(8, 10),)),
        PlayedSensor("short", 60, (Span(5, 5.03), Span(13.98, 16))),
        PlayedSensor("within-outage", 60, (Span(9.5, 11.5),)),
        PlayedSensor("before-kill", 60, (Span(17.9, 21),)),
        PlayedSensor("in-kill", 60, (Span(19, 22),)),
        PlayedSensor("quarter", 900, (Span(4, 8),)),
        PlayedSensor("living-quarter", 900),
        PlayedSensor("hourly", 3600, (Span(13.1, 17.5),)),
        PlayedSensor("living-hourly", 3600),
    ),
    outages=(Span(3, 3.7), Span(9, 12), Span(14, 14.05)),
    kills=(Span(18, 20),),
    restarts_h=(1.5, 4.5, 15, 21.5),
)

SHORT = Plan(
    sensors=(
        PlayedSensor("plain", 60, (Span(0.3, 0.8),)),
        PlayedSensor("in-outage", 60, (Span(1.1, 1.9),)),
        PlayedSensor("before-kill", 60, (Span(1.95, 2.9),)),
        PlayedSensor("living-quarter", 900),
    ),
    outages=(Span(1, 1.4),),
    kills=(Span(2, 2.4),),
    restarts_h=(0.5,),
    hours=3,
)


@dataclass
class Verdict:
    """What ThingsBoard showed of it.

    Attributes:
        deaths: those that must be an alarm.
        in_time: alarms of these, each within the time of its sensor.
        missed: deaths without an alarm.
        late: deaths whose alarm came too late.
        false: alarms of a sensor that was alive, or of one death a second time.
        of_gateway: alarms of the gateway's own device.
        gateway_away: times at which the gateway was away for longer than it may.
    """

    deaths: int = 0
    in_time: int = 0
    missed: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    of_gateway: int = 0
    gateway_away: int = 0
    messages: int = 0
    own_messages: int = 0
    own_bytes: int = 0


class InlineLoop(JumpingLoop):
    """A loop on a clock that jumps, in which the work of threads takes no time."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except BaseException as error:
            future.set_exception(error)
        return future


class PlayedClient:
    """A client whose datagrams are calls of the stand-in's resources, 50 ms away."""

    lanes = 4
    deadline_s = 60.0

    def __init__(self, api: DeviceApi, is_down: Callable[[], bool]) -> None:
        self._api = api
        self._is_down = is_down
        self.sizes: dict[str, list[int]] = {}

    @property
    def stats(self) -> Stats:
        return Stats(0, {}, 0, 0, self.lanes, ROUND_TRIP_S, None)

    async def post(self, path: Sequence[str], payload: bytes, *, at_once: bool = False) -> Any:
        await asyncio.sleep(ROUND_TRIP_S)
        if self._is_down():
            await asyncio.sleep(SILENCE_S)
            raise UplinkError("the server does not answer")
        answer = self._api.answer(coap.POST, path, (), payload)
        assert answer is not None
        self.sizes.setdefault(path[2], []).append(len(payload))
        return type("Response", (), {"code": ResponseCode(coap.dotted(answer.code))})

    async def ping(self) -> bool:
        await asyncio.sleep(ROUND_TRIP_S)
        return not self._is_down()

    async def refresh(self) -> None:
        """The name does not change."""

    def budget(self, path: Sequence[str]) -> int:
        return 1024

    def longest(self, path: Sequence[str]) -> int:
        return 1024

    def record_ignored(self, path: Sequence[str], payload_length: int) -> None:
        """No path is too narrow here."""

    def reset(self) -> None:
        """There is no connection."""


class StatisticsToEveryDevice:
    """How it was: the line statistics of each sensor as attributes of the sensor's own device."""

    def __init__(self, runtime: Runtime, client: PlayedClient) -> None:
        self._runtime = runtime
        self._client = client
        self._last_sent: dict[str, tuple[float, object]] = {}

    async def run(self) -> None:
        while True:
            now = asyncio.get_running_loop().time()
            for document in self._runtime.buses().values():
                for sensor, counts in document["sensors"].items():
                    sent_at, state = self._last_sent.get(sensor, (-900.0, None))
                    if counts["state"] != state or now - sent_at >= 900:
                        self._last_sent[sensor] = now, counts["state"]
                        with suppress(UplinkError):
                            await self._client.post(
                                ("api", "v1", sensor, "attributes"),
                                b'{"line_state":"%b"}' % counts["state"].encode(),
                            )
            await asyncio.sleep(5)


class Day:
    """One play of a plan."""

    def __init__(self, plan: Plan, folder: Path, *, as_it_was: bool) -> None:
        loop = asyncio.get_running_loop()
        self._plan = plan
        self._begun = loop.time()
        self._as_it_was = as_it_was
        self._path = folder / "spool.db"
        self._spool = Spool.open(self._path)
        self._runtime = Runtime(self._path)
        names = [sensor.name for sensor in plan.sensors]
        self._api = DeviceApi([*names, GATEWAY], monotonic=loop.time)
        gateway = None if as_it_was else GATEWAY
        self.activity = Activity(
            [
                WatchedDevice(GATEWAY, timing.GATEWAY_INACTIVITY_S),
                *(
                    WatchedDevice(
                        sensor.name,
                        timing.inactivity_s(sensor.every_s),
                        0.0 if as_it_was else timing.grace_s(sensor.every_s),
                        gateway,
                    )
                    for sensor in plan.sensors
                ),
            ]
        )
        self._api.activity = self.activity
        self.client = PlayedClient(self._api, lambda: plan.is_down(self._now))
        self._counts: dict[str, dict[str, Any]] = {}
        self._site = bare(
            Site,
            name="played",
            thingsboard=ThingsBoard(url="coap://127.0.0.1", gateway=gateway),
            spool=bare(SpoolSettings, path=self._path, limit=100_000_000, commit_every_s=2.0),
            clock=ClockSettings(),
            buses={
                "meters": bare(Bus, name="meters", sensors=tuple(bare(Sensor, name=name) for name in names))
            },
        )

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._begun

    async def play(self) -> None:
        """Play the plan to its end."""
        tasks = [asyncio.create_task(self._read(sensor)) for sensor in self._plan.sensors]
        tasks += [asyncio.create_task(work()) for work in (self._watch, self._publish, self._deliver)]
        await asyncio.sleep(self._plan.hours * HOUR)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        self._spool.close()

    async def _read(self, sensor: PlayedSensor) -> None:
        """Read a sensor on its grid while the gateway runs and the sensor lives."""
        missed, number, was_killed = 0, 0, True
        while True:
            now = self._now
            if self._plan.is_killed(now):
                was_killed = True
            else:
                counts = self._counts.setdefault(sensor.name, {"state": "never", "last_ts": None})
                if was_killed:
                    counts["state"], missed, was_killed = "never", 0, False
                if any(span.holds(now) for span in sensor.deaths):
                    missed += 1
                    if missed >= MISSES:
                        counts["state"] = "silent"
                else:
                    missed, number = 0, number + 1
                    ts_ms = EPOCH_MS + round(1000 * now)
                    body, points = encode_values({"number": number})
                    self._spool.add([Reading(sensor.name, Instant("boot", 1), ts_ms, body, points)])
                    counts.update(state="ok", last_ts=ts_ms)
            await asyncio.sleep(sensor.every_s)

    async def _publish(self) -> None:
        """Publish what a reader says, when it changes, as long as the gateway runs."""
        last: str | None = None
        while True:
            if not self._plan.is_killed(self._now) and (text := repr(self._counts)) != last:
                last = text
                document = {"bus": "meters", "state": "ready", "sensors": self._counts, "line": {}}
                self._runtime.publish("bus-meters", document)
            await asyncio.sleep(5)

    async def _deliver(self) -> None:
        """Run the uplink with its reports; end it when the gateway is killed or restarts."""
        ends = [span.begin_h * HOUR for span in self._plan.kills]
        ends += [at * HOUR for at in self._plan.restarts_h]
        while True:
            end = min((end for end in ends if end > self._now), default=self._plan.hours * HOUR + 1)
            with suppress(TimeoutError):
                async with asyncio.timeout(end - self._now):
                    await self._run_uplink()
            await asyncio.sleep(1)
            killed_until = [span.end_h for span in self._plan.kills if span.holds(self._now)]
            await asyncio.sleep(max([0.0, *(end_h * HOUR - self._now for end_h in killed_until)]))

    async def _run_uplink(self) -> None:
        credentials = Credentials({name: Token(name) for name in (*self._counts, GATEWAY)})
        uplink = Uplink(
            self._path,
            self._site,
            credentials,
            client=self.client,
            publish=partial(self._runtime.publish, UPLINK),
            pace=Pace(look_every_s=2.0, status_every_s=5.0),
        )
        jobs: list[Callable[[], Awaitable[None]]] = [uplink.run]
        if self._as_it_was:
            jobs.append(StatisticsToEveryDevice(self._runtime, self.client).run)
        else:
            reports = self_reports(
                self._site, credentials, uplink, runtime=self._runtime, client=self.client, own_clients={}
            )
            jobs += [job for _, job in reports]
        async with asyncio.TaskGroup() as tasks:
            for job in jobs:
                tasks.create_task(_awaited(job))

    async def _watch(self) -> None:
        while True:
            self.activity.advance(asyncio.get_running_loop().time())
            await asyncio.sleep(timing.STATE_CHECK_S)

    def verdict(self) -> Verdict:
        """Compare the alarms with the plan."""
        verdict = Verdict(
            gateway_away=len(_away(self._plan)), of_gateway=len(self.activity.alarms_of(GATEWAY))
        )
        for sensor in self._plan.sensors:
            alarms = [(alarm.raised_at - self._begun) for alarm in self.activity.alarms_of(sensor.name)]
            for death in sensor.deaths:
                due_s = _due_s(self._plan, sensor, death)
                if due_s is None:
                    continue
                verdict.deaths += 1
                until = max(due_s, death.end_h * HOUR)
                of_death = [at for at in alarms if death.begin_h * HOUR <= at < until]
                where = f"{sensor.name} at {death.begin_h:g} h"
                if not of_death:
                    verdict.missed.append(where)
                    continue
                alarms.remove(of_death[0])
                if of_death[0] <= due_s:
                    verdict.in_time += 1
                else:
                    verdict.late.append(f"{where}: {of_death[0] - due_s:.0f} s")
            verdict.false += [f"{sensor.name} at {at / HOUR:.2f} h" for at in alarms]
        sizes = self.client.sizes
        verdict.messages = sum(map(len, sizes.values()))
        verdict.own_messages, verdict.own_bytes = len(sizes.get(GATEWAY, ())), sum(sizes.get(GATEWAY, ()))
        return verdict


def _away(plan: Plan) -> list[Span]:
    """Return the times at which the gateway cannot be heard for longer than its device may be inactive."""
    least_h = (timing.GATEWAY_INACTIVITY_S + timing.STATE_CHECK_S) / HOUR
    return [span for span in (*plan.outages, *plan.kills) if span.end_h - span.begin_h > least_h]


def _due_s(plan: Plan, sensor: PlayedSensor, death: Span) -> float | None:
    """Return when a death must be an alarm; None if it must not be one, because it is over before."""
    due_s = death.begin_h * HOUR + timing.alarm_s(sensor.every_s)
    for away in sorted((*plan.outages, *plan.kills), key=lambda span: span.begin_h):
        if away.begin_h * HOUR < due_s and away.end_h > death.begin_h:
            is_over = death.end_h <= away.end_h
            if is_over and death.begin_h >= away.begin_h:
                return None
            due_s = away.end_h * HOUR + SETTLING_S + timing.alarm_s(sensor.every_s)
    return due_s if death.end_h * HOUR > due_s else None


async def _awaited(job: Callable[[], Awaitable[None]]) -> None:
    await job()


def played(plan: Plan, folder: Path, *, as_it_was: bool = False) -> Verdict:
    """Play a plan in an empty folder and return what came of it."""

    async def day() -> Verdict:
        play = Day(plan, folder, as_it_was=as_it_was)
        await play.play()
        return play.verdict()

    with asyncio.Runner(loop_factory=InlineLoop) as runner:
        return runner.run(day())


def table(verdicts: Iterable[tuple[str, Verdict]]) -> str:
    """Return the verdicts side by side."""
    columns = list(verdicts)
    rows: list[tuple[str, Callable[[Verdict], object]]] = [
        ("deaths that must be an alarm", lambda verdict: verdict.deaths),
        ("  one alarm, in time", lambda verdict: verdict.in_time),
        ("  missed", lambda verdict: len(verdict.missed)),
        ("  late", lambda verdict: len(verdict.late)),
        ("alarms without a death (flaps)", lambda verdict: len(verdict.false)),
        ("gateway away for longer than it may", lambda verdict: verdict.gateway_away),
        ("  alarms of the gateway", lambda verdict: verdict.of_gateway),
        ("messages", lambda verdict: verdict.messages),
        ("  of the gateway's own device", lambda verdict: verdict.own_messages),
        ("  its bytes", lambda verdict: verdict.own_bytes),
    ]
    lines = [f"{'':<38}" + "".join(f"{name:>12}" for name, _ in columns)]
    lines += [f"{label:<38}" + "".join(f"{value(v):>12}" for _, v in columns) for label, value in rows]
    for name, verdict in columns:
        for word in ("missed", "late", "false"):
            if places := getattr(verdict, word):
                lines.append(f"{name}, {word}: {', '.join(places)}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--short", action="store_true", help="the plan of the tests")
    plan = SHORT if parser.parse_args().short else DAY
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        now = played(plan, Path(first))
        before = played(plan, Path(second), as_it_was=True)
    print(table([("as it was", before), ("as it is", now)]))
    is_right = now.deaths == now.in_time and not now.false and now.of_gateway == now.gateway_away
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
