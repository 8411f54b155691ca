"""What a device does not give is learned slowly and doubted again."""

from __future__ import annotations

from protocols.toolkit.lessons import LEARN_AFTER, LONGEST_RETRY_S, RETRY_REFUSED_S, RETRY_SILENT_S, Lessons


def failing(
    lessons: Lessons[str], *items: str, now: float = 0.0, polls: int = 1, silent: bool = False
) -> None:
    for _ in range(polls):
        lessons.begin(now)
        for item in items:
            lessons.failed(item, "refused", is_silent=silent)


def test_nothing_is_left_out_before_it_failed_in_several_polls_in_a_row() -> None:
    lessons = Lessons[str]()
    failing(lessons, *"aaaaaa", polls=LEARN_AFTER - 1)
    assert lessons.left_out == {}
    lessons.answered("a")
    failing(lessons, "a", polls=LEARN_AFTER - 1)
    assert lessons.left_out == {}
    failing(lessons, "a")
    assert lessons.left_out == {"a": "refused"}


def test_what_is_left_out_is_due_by_time_at_a_growing_distance_up_to_an_hour() -> None:
    for silent, first_s in ((False, RETRY_REFUSED_S), (True, RETRY_SILENT_S)):
        lessons = Lessons[str]()
        failing(lessons, "a", polls=LEARN_AFTER, silent=silent)
        now, distance_s = 0.0, first_s
        for _ in range(20):
            lessons.begin(now + distance_s - 0.001)
            assert lessons.due() is None
            now += distance_s
            lessons.begin(now)
            assert lessons.due() == "a"
            lessons.failed("a", "refused", is_silent=silent)
            distance_s = min(2 * distance_s, LONGEST_RETRY_S)


def test_one_that_is_back_brings_all_others_back_on_probation() -> None:
    lessons = Lessons[str]()
    failing(lessons, *"abc", polls=LEARN_AFTER)
    lessons.answered("b")
    assert lessons.left_out == {}
    failing(lessons, *"abc", now=10)
    assert lessons.left_out.keys() == {"a", "c"}
    lessons.begin(10 + 2 * RETRY_REFUSED_S - 0.001)
    assert lessons.due() is None, "the distance goes on growing"
