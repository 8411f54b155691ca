"""`aligned = true`: each interval of the wall clock has one reading, whatever becomes of the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bridge.clock import BUILD_DATE, Clock
from bridge.reader.schedule import Schedule
from bridge.reader.wall_grid import Alignment, next_slot
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.support.loop import on_jumping_clock

QUARTER_S = 900.0
DAY_S = 86_400
MIDNIGHT_S = int(BUILD_DATE.timestamp()) // DAY_S * DAY_S + 100 * DAY_S
COMMIT_EVERY_S = 2.0  # the default: the most that a reading may come late
POLL_S = 0.06


class Machine:
    """A machine with a clock that can be set, and a schedule that can be started again."""

    def __init__(self, wall_s: float, every_s: Mapping[str, float], aligned: str = "meter") -> None:
        self.now = 5000.0
        self.wall_s = wall_s
        self.is_trusted = True
        self.is_deaf = False
        self.polls: list[float] = []  # of the aligned device, by the wall clock …
        self.readings: list[float] = []  # … and those that were answered
        self._every_s = every_s
        self._aligned = aligned
        self.clock = self._new_clock()
        self.schedule = self._new_schedule()

    def _new_clock(self) -> Clock:
        return Clock(
            "boot",
            lambda: round(self.now * 1e9),
            lambda: round(self.wall_s * 1e9),
            lambda _: "NTP" if self.is_trusted else None,
        )

    def _new_schedule(self) -> Schedule[str]:
        newest_ms = self.clock.newest_ms(self._aligned)

        def ahead_s(now: float) -> float | None:
            wall_ms = self.clock.measured_ms(self.clock.now())
            return None if wall_ms is None else wall_ms / 1000 - now

        alignment = Alignment({self._aligned: None if newest_ms is None else newest_ms / 1000}, ahead_s)
        return Schedule(self._every_s, alignment=alignment)

    def step(self, seconds: float) -> None:
        self.wall_s += seconds

    def restart(self, away_s: float) -> None:
        """End the process, and start it again: what it knows is the newest stamp in the spool."""
        newest_ms = self.clock.newest_ms(self._aligned)
        self._pass(away_s)
        self.clock = self._new_clock()
        if newest_ms is not None:
            self.clock.continue_after({self._aligned: newest_ms})
        self.schedule = self._new_schedule()

    def run_until(self, wall_s: float) -> None:
        while self.wall_s < wall_s:
            key = self.schedule.take(self.now)
            if key is None:
                wake_at = self.schedule.wake_at(self.now)
                assert wake_at > self.now
                self._pass(min(wake_at - self.now, max(0.001, wall_s - self.wall_s)))
                continue
            started, taken = self.now, self.clock.now()
            is_answered = not (self.is_deaf and key == self._aligned)
            if key == self._aligned:
                self.polls.append(self.wall_s)
                if is_answered and (stamp := self.clock.ts_ms(taken, key)) is not None:
                    self.readings.append(stamp / 1000)
            self._pass(POLL_S)
            self.schedule.done(key, started, self.now, answered=is_answered)

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self.wall_s += seconds


def quarters(machine: Machine) -> Counter[int]:
    return Counter(int((reading - MIDNIGHT_S) // QUARTER_S) for reading in machine.readings)


def lateness(machine: Machine) -> list[float]:
    return [(reading - MIDNIGHT_S) % QUARTER_S for reading in machine.readings]


@pytest.mark.parametrize("others", [{}, dict.fromkeys("abcdef", 7.0)])
def test_each_quarter_hour_of_a_day_with_clock_steps_and_restarts_is_read_once(
    others: dict[str, float],
) -> None:
    machine = Machine(MIDNIGHT_S - 400, {"meter": QUARTER_S, **others})
    machine.run_until(MIDNIGHT_S - 1)
    machine.readings.clear()

    def at(hours: float, happens: Callable[[], None]) -> None:
        machine.run_until(MIDNIGHT_S + hours * 3600)
        happens()

    at(1.01, lambda: machine.step(-20))  # just read: not again
    at(3.6, lambda: machine.step(+90))
    at(5.005, lambda: machine.step(-600))  # back over the begin of the quarter that was just read
    at(7.1, lambda: machine.step(-0.4))
    at(9.0 - 0.001, lambda: machine.step(+2.0))  # over a begin
    at(11.1, lambda: machine.restart(40))  # within a quarter that was read
    at(13.0 - 0.0003, lambda: machine.restart(1.5))  # over a begin
    at(15.55, lambda: machine.step(+150))
    at(20.0001, lambda: machine.restart(30))
    machine.run_until(MIDNIGHT_S + DAY_S - 1)
    assert quarters(machine) == dict.fromkeys(range(96), 1)
    assert max(lateness(machine)) <= COMMIT_EVERY_S


def test_a_poll_without_an_answer_is_repeated_within_its_interval() -> None:
    machine = Machine(MIDNIGHT_S - 1, {"meter": QUARTER_S, "other": 3.0})
    machine.run_until(MIDNIGHT_S + QUARTER_S - 1)
    machine.is_deaf = True
    machine.run_until(MIDNIGHT_S + QUARTER_S + 3)
    machine.is_deaf = False
    machine.run_until(MIDNIGHT_S + 4 * QUARTER_S - 1)
    assert quarters(machine) == {-1: 1, 0: 1, 1: 1, 2: 1, 3: 1}
    assert sorted(lateness(machine))[-2] == pytest.approx(5, abs=0.5)  # the last one is that of the start


def test_a_dead_device_is_repeated_twice_and_then_probed_on_its_grid() -> None:
    machine = Machine(MIDNIGHT_S - 1, {"meter": QUARTER_S})
    machine.run_until(MIDNIGHT_S + 10)
    machine.is_deaf = True
    machine.polls.clear()
    machine.run_until(MIDNIGHT_S + 5 * QUARTER_S - 1)
    assert machine.schedule.is_silent("meter")
    assert [round(at - MIDNIGHT_S - QUARTER_S) for at in machine.polls] == [0, 5, 65, 900, 1800, 2700]
    machine.is_deaf = False
    machine.run_until(MIDNIGHT_S + 6 * QUARTER_S)
    assert quarters(machine)[5] == 1


def test_a_late_start_is_not_counted_as_a_late_poll() -> None:
    machine = Machine(MIDNIGHT_S + 400, {"meter": QUARTER_S})
    machine.run_until(MIDNIGHT_S + 3 * QUARTER_S)
    assert (machine.schedule.lateness("meter").percentile_s(99) or 0) < 0.1


def test_without_steps_a_quarter_hour_never_drifts() -> None:
    machine = Machine(MIDNIGHT_S - 1, {"meter": QUARTER_S})
    machine.run_until(MIDNIGHT_S + DAY_S)
    assert max(lateness(machine)[1:]) < 0.01


@pytest.mark.parametrize(
    ("polled_s", "wall_s", "slot"),
    [
        (None, 3700, 4),  # a first start: the interval it is in, at once
        (2800, 3700, 4),  # not read yet
        (3600, 3700, 5),  # read
        (3600, 3590, 5),  # set back over the begin: read
        (3600, 2000, 3),  # set back by more: believed
        (86_400, 3700, 5),  # the clock was a day ahead
    ],
)
def test_the_next_interval_follows_from_the_last_and_the_clock(
    polled_s: float | None, wall_s: float, slot: int
) -> None:
    assert next_slot(900.0, wall_s, polled_s) == slot


def test_an_interval_that_the_clock_jumped_into_is_read_at_once() -> None:
    machine = Machine(MIDNIGHT_S + 1, {"meter": QUARTER_S})
    machine.run_until(MIDNIGHT_S + 100)
    machine.step(3000)
    machine.run_until(MIDNIGHT_S + 4000)
    assert quarters(machine) == {0: 1, 3: 1, 4: 1}
    assert machine.schedule.missed_slots("meter") == 2


def test_without_a_trusted_time_it_is_read_on_a_grid_of_its_own_and_aligned_later() -> None:
    machine = Machine(MIDNIGHT_S + 100, {"meter": QUARTER_S})
    machine.is_trusted = False
    machine.run_until(MIDNIGHT_S + 2000)
    assert machine.readings == []  # none can be dated
    assert machine.schedule.wake_at(machine.now) <= machine.now + 1
    machine.is_trusted = True
    machine.run_until(MIDNIGHT_S + 7300)
    assert quarters(machine) == dict.fromkeys(range(3, 9), 1)
    assert max(lateness(machine)) < 0.01


def test_a_full_line_keeps_it_waiting_for_no_longer_than_a_poll() -> None:
    machine = Machine(MIDNIGHT_S - 1, {"meter": QUARTER_S, "filler": 0.0, **dict.fromkeys("abcdef", 0.4)})
    machine.run_until(MIDNIGHT_S + 3 * QUARTER_S - 1)
    assert quarters(machine) == {-1: 1, 0: 1, 1: 1, 2: 1}
    assert max(lateness(machine)[1:]) <= 1.5


@on_jumping_clock
async def _three_quarters(folder: Path) -> None:
    sensors = [Sensor(1, QUARTER_S, ((0, 2),), "aligned = true"), Sensor(2, 1.0, ((0, 2),))]
    reader = SimulatedReader(folder, "9600 8N1", sensors, wall_ahead_s=MIDNIGHT_S)
    await reader.run(4 * QUARTER_S)
    (first, *later) = [(at + MIDNIGHT_S) % QUARTER_S for at in reader.read_at["s0"]]
    assert first == pytest.approx(1000 % QUARTER_S, abs=3), "at once after the start"
    assert len(later) == 4
    assert max(later) < 1.0
    assert reader.audit.findings.are_clean


def test_a_real_reader_reads_at_the_quarter_hours_between_its_other_sensors(tmp_path: Path) -> None:
    _three_quarters(tmp_path)
