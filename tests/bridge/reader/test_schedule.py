"""The schedule on a simulated line: polls cost what the test says, the clock jumps from poll to poll."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

import pytest

from bridge.reader.schedule import SILENT_AFTER, Schedule

ALIVE_COST_S = 0.047  # 10 registers at 9600: 33 characters of 11 bits, 5 ms turn-around, t3.5
PROBE_COST_S = 0.060  # a request, and the least learned reply timeout


class Line:
    """Runs a schedule: asks whoever is due, at the cost of an answer or of a timeout."""

    def __init__(
        self,
        every_s: Mapping[str, float],
        *,
        is_dead: Callable[[str, float], bool] = lambda key, now: False,
        cost_s: float = ALIVE_COST_S,
    ) -> None:
        self.schedule = Schedule(every_s)
        self.now = 1000.0
        self.is_dead = is_dead
        self.cost_s = cost_s
        self.asked: dict[str, list[float]] = defaultdict(list)
        self.answered: dict[str, list[float]] = defaultdict(list)
        self.probing_s = 0.0

    def run(self, duration_s: float) -> Line:
        end = self.now + duration_s
        while self.now < end:
            key = self.schedule.take(self.now)
            if key is None:
                woken = self.schedule.wake_at(self.now)
                assert woken > self.now, "nobody is due, yet there is nothing to wait for"
                self.now = min(woken, end)
                continue
            started, was_silent = self.now, self.schedule.is_silent(key)
            self.asked[key].append(started)
            alive = not self.is_dead(key, started)
            if alive:
                self.answered[key].append(started)
            self.now += self.cost_s if alive else PROBE_COST_S
            self.probing_s += (self.now - started) if was_silent else 0.0
            self.schedule.done(key, started, self.now, answered=alive)
        return self


def test_a_grid_does_not_drift() -> None:
    line = Line({"a": 1.0}).run(600.0)
    assert line.asked["a"] == pytest.approx([1000.0 + slot for slot in range(600)])


def test_the_first_readings_are_not_delayed_and_the_tightest_comes_first() -> None:
    line = Line({"slow": 60.0, "fast": 1.0, "filler": 0.0}).run(3 * ALIVE_COST_S)
    assert line.asked["fast"] == [1000.0]
    assert line.asked["slow"] == pytest.approx([1000.0 + ALIVE_COST_S])
    assert line.asked["filler"] == pytest.approx([1000.0 + 2 * ALIVE_COST_S])


def test_equal_periods_are_spread_by_their_first_polls_and_keep_out_of_each_others_way() -> None:
    line = Line(dict.fromkeys("abcd", 1.0)).run(10.0)
    for key in "abcd":
        first = line.asked[key][0]
        assert line.asked[key] == pytest.approx([first + slot for slot in range(10)])


def test_the_earliest_deadline_goes_first() -> None:
    schedule = Schedule({"minute": 60.0, "second": 1.0})
    for key in ("second", "minute"):
        assert schedule.take(0.0) == key
        schedule.done(key, 0.0, 0.0, answered=True)
    assert schedule.take(0.5) is None
    assert schedule.wake_at(0.5) == 1.0
    assert schedule.take(60.0) == "second", "its slot of 1 s ended long ago"
    assert schedule.take(60.0) == "minute"
    assert schedule.take(60.0) is None


def test_missed_slots_are_skipped_and_counted_never_queued_up() -> None:
    schedule = Schedule({"a": 1.0})
    assert schedule.take(0.0) == "a"
    schedule.done("a", 0.0, 5.5, answered=True)  # the poll took five slots and a half
    assert schedule.take(5.5) == "a"
    assert schedule.missed_slots("a") == 4  # those that began at 1, 2, 3 and 4 s; that of 5 s is asked late
    assert schedule.take(5.6) is None
    assert schedule.wake_at(5.6) == 6.0


def test_an_overloaded_line_starves_nobody_and_counts_every_missed_slot() -> None:
    line = Line({"a": 0.05, "b": 0.05, "slow": 10.0}).run(100.0)
    assert len(line.asked["slow"]) >= 5, "about the share of their slots that the fast ones get"
    assert len(line.asked["a"]) == pytest.approx(len(line.asked["b"]), rel=0.01)
    assert len(line.asked["a"]) + line.schedule.missed_slots("a") == pytest.approx(2000, abs=2)


def test_every_0_takes_in_rotation_what_the_periodic_leave() -> None:
    line = Line({"periodic": 1.0, "x": 0.0, "y": 0.0}).run(100.0)
    assert len(line.asked["periodic"]) == 100
    assert line.schedule.missed_slots("periodic") == 0
    assert abs(len(line.asked["x"]) - len(line.asked["y"])) <= 1
    assert sum(map(len, line.asked.values())) * ALIVE_COST_S == pytest.approx(100.0, rel=0.01)


def test_a_line_without_devices_waits_for_ever() -> None:
    schedule = Schedule[str]({})
    assert schedule.take(0.0) is None
    assert schedule.wake_at(0.0) == float("inf")


def test_a_device_is_silent_after_three_missed_polls_and_back_with_the_first_answer() -> None:
    schedule = Schedule({"a": 1.0})
    for slot in range(SILENT_AFTER):
        assert not schedule.is_silent("a")
        assert schedule.take(float(slot)) == "a"
        schedule.done("a", float(slot), slot + 0.1, answered=False)
    assert schedule.is_silent("a")
    schedule.done("a", 3.0, 3.1, answered=True)
    assert not schedule.is_silent("a")
    assert schedule.misses("a") == 0


@pytest.mark.parametrize(("sensors", "dead"), [(5, 1), (10, 9)])
def test_dead_sensors_cost_the_living_nothing(sensors: int, dead: int) -> None:
    """Asked load 90 % of the line; over 120 s from the moment of death the living keep their rate."""
    keys = [f"s{index}" for index in range(sensors)]
    every_s = sensors * ALIVE_COST_S / 0.9
    line = Line(dict.fromkeys(keys, every_s), is_dead=lambda key, now: key in keys[:dead] and now >= 1060.0)
    line.run(60.0 + 120.0)
    asked = int(120.0 / every_s)
    for key in keys[dead:]:
        polls = sum(1 for moment in line.answered[key] if moment >= 1060.0)
        assert polls >= asked - 1
        assert line.schedule.missed_slots(key) == 0


def test_silent_devices_get_at_most_five_percent_in_turn() -> None:
    line = Line(dict.fromkeys("abcdefghi", 1.0), is_dead=lambda key, now: True).run(600.0)
    assert line.probing_s <= 0.05 * 600.0 + PROBE_COST_S
    counts = Counter({key: len(asked) for key, asked in line.asked.items()})
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_silent_device_is_never_asked_more_often_than_its_own_grid() -> None:
    line = Line({"a": 30.0}, is_dead=lambda key, now: True).run(600.0)
    assert line.asked["a"] == pytest.approx([1000.0 + 30.0 * slot for slot in range(20)])


@pytest.mark.parametrize(("silent", "within_s"), [(1, 3.0), (9, 15.0)])
def test_one_that_comes_back_is_found_soon(silent: int, within_s: float) -> None:
    keys = [f"s{index}" for index in range(10)]
    back = 1100.0
    line = Line(
        dict.fromkeys(keys, 1.0),
        is_dead=lambda key, now: key in keys[:silent] and not (key == "s0" and now >= back),
    )
    line.run(130.0)
    assert next(moment for moment in line.answered["s0"] if moment >= back) - back <= within_s
    assert line.answered["s0"][-5:] == pytest.approx([line.answered["s0"][-5] + slot for slot in range(5)])


def test_a_silent_device_is_found_even_on_an_overloaded_line() -> None:
    line = Line({"a": 0.05, "b": 0.05, "back": 1.0}, is_dead=lambda key, now: key == "back" and now < 1100.0)
    line.run(110.0)
    assert line.answered["back"]


def test_of_those_due_the_slot_that_ends_first_goes_first_not_the_one_that_began_first() -> None:
    schedule = Schedule({"minute": 60.0, "second": 1.0})
    assert schedule.take(0.0) == "second"
    schedule.done("second", 0.0, 0.0, answered=True)
    assert schedule.take(0.0) == "minute"
    schedule.done("minute", 0.0, 0.0, answered=True)
    assert schedule.take(60.5) == "second"
    schedule.done("second", 60.5, 60.5, answered=True)
    assert schedule.take(61.0) == "second", "it is due for less time, and its slot ends sooner"
    assert schedule.take(61.0) == "minute"


def test_a_device_that_may_still_say_something_is_not_asked_before_and_others_are() -> None:
    schedule = Schedule({"owing": 1.0, "other": 1.0})
    for key in ("owing", "other"):
        assert schedule.take(0.0) == key
        schedule.done(key, 0.0, 0.0, answered=True, not_before=2.5 if key == "owing" else 0.0)
    assert schedule.take(1.0) == "other"
    assert schedule.take(1.0) is None
    assert schedule.wake_at(1.0) == 2.0
    assert schedule.take(2.0) == "other"
    assert schedule.wake_at(2.0) == 2.5
    assert schedule.take(2.5) == "owing"


def test_a_successful_probe_costs_the_silent_nothing() -> None:
    """An hour without power; then the first that answers is followed by all others at once."""
    keys = [f"s{index}" for index in range(60)]
    line = Line(dict.fromkeys(keys, 60.0), is_dead=lambda key, now: 1100.0 <= now < 4700.0, cost_s=0.5)
    line.run(3700.0 + 120.0)
    assert all(line.answered[key][-1] >= 4700.0 for key in keys)
