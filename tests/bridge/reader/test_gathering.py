"""Parts that a foreign master reads become one reading for each `every`."""

from __future__ import annotations

from bridge.clock import Instant
from bridge.reader.gathering import WITHIN_S, Gathered, Gathering
from protocols.toolkit.polling import Values


def taken(at_s: float) -> Instant:
    return Instant("boot", round(at_s * 1e9))


def gathered(own: Gathering, *parts: tuple[float, Values]) -> list[tuple[float, Values]]:
    """Return the readings of these parts, each with its time."""
    readings: list[Gathered] = []
    for at_s, values in parts:
        readings += own.take(values, taken(at_s), at_s)
    return [(instant.boottime_ns / 1e9, values) for values, instant in readings]


def test_each_part_is_a_reading_where_all_are_wanted() -> None:
    parts = [(0.0, {"a": 1}), (0.1, {"b": 2}), (0.2, {"a": 3})]
    assert gathered(Gathering(0.0), *parts) == parts


def test_parts_of_one_round_are_one_reading_stamped_by_the_first() -> None:
    own = Gathering(10.0)
    parts = [
        (0.0, {"a": 1}),
        (0.1, {"b": 2}),
        (10.0, {"a": 5}),
        (10.1, {"b": 6}),
        (20.0, {"a": 8}),
        (20.1, {"b": 9}),
    ]
    first, second, *later = gathered(own, *parts)
    assert (first, second) == ((0.0, {"a": 1}), (0.1, {"b": 2})), "nobody knows yet that there is more"
    assert later == [(10.0, {"a": 5, "b": 6}), (20.0, {"a": 8, "b": 9})]


def test_what_is_read_rarely_is_kept_though_the_rest_is_read_often() -> None:
    own = Gathering(10.0)
    parts: list[tuple[float, Values]] = [(float(second), {"fast": second}) for second in range(60)]
    parts += [(second + 0.5, {"slow": second}) for second in (3, 33)]
    readings = gathered(own, *sorted(parts, key=lambda part: part[0]))
    fast = [values["fast"] for _, values in readings if "fast" in values]
    slow = [values["slow"] for _, values in readings if "slow" in values]
    assert fast == [0, 5, 15, 25, 35, 45, 55]
    assert slow == [3, 33]


def test_a_part_that_does_not_come_is_not_waited_for_longer_than_its_time_allows() -> None:
    own = Gathering(10.0)
    gathered(own, (0.0, {"a": 1}), (0.1, {"b": 2}))
    own.look(5.0)
    assert gathered(own, (10.0, {"a": 3})) == []
    assert own.look(10.0 + WITHIN_S - 0.1) == []
    assert own.look(10.0 + WITHIN_S) == [({"a": 3}, taken(10.0))]
    assert own.look(20.0) == []


def test_the_grid_does_not_drift_with_a_master_that_does_not_keep_it() -> None:
    own = Gathering(10.0)
    readings = gathered(own, *((0.9 * number, {"a": number}) for number in range(1000)))
    assert 89 <= len(readings) <= 91
    assert own.thinned == 1000 - len(readings)
