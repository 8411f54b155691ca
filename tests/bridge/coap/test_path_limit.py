"""What is learned of a path that swallows long messages, and unlearned: on a clock that the test moves."""

from __future__ import annotations

import pytest

from bridge.coap.path_limit import FINE, SHORTEST, SURVEY_AGAIN_S, SURVEY_EVERY_S, PathLimit

FULL = 1152


def survey(path: PathLimit, carries: int, now_s: float) -> None:
    """Surveys a path that carries messages up to a length, as the client does."""
    first = [length for length in path.survey() if length <= carries]
    second = [length for length in path.survey(max(first, default=path.limit)) if length <= carries]
    path.surveyed([*first, *second], now_s)


def test_nothing_is_surveyed_while_nothing_is_swallowed() -> None:
    path = PathLimit(FULL)
    path.answered(1000)
    assert path.limit == FULL
    assert not path.is_survey_due(1e6)


@pytest.mark.parametrize("carries", [330, 500, 600, 972, 1000, 1100, 1151])
def test_one_swallowed_message_and_a_survey_find_the_limit(carries: int) -> None:
    path = PathLimit(FULL)
    path.answered(150)
    path.swallowed(FULL, 0.0)
    for now_s in range(0, 600, 60):
        if path.limit > carries:
            path.swallowed(path.limit, now_s)
        elif path.is_survey_due(now_s):
            survey(path, carries, now_s)
    assert carries - FINE <= path.limit <= carries


def test_readings_flow_on_before_the_survey() -> None:
    path = PathLimit(FULL)
    path.answered(700)
    path.swallowed(1000, 0.0)
    assert path.limit == 700
    assert path.is_survey_due(0.0)


def test_silence_at_a_proven_length_teaches_nothing() -> None:
    path = PathLimit(FULL)
    path.answered(1000)
    path.swallowed(1000, 0.0)
    assert path.limit == FULL


def test_what_is_short_is_never_to_blame() -> None:
    path = PathLimit(FULL)
    path.swallowed(SHORTEST, 0.0)
    assert path.limit == FULL


def test_a_path_that_has_changed_is_learned_anew() -> None:
    path = PathLimit(FULL)
    path.answered(FULL)
    path.doubt(1100)
    assert not path.is_proven(1100)
    path.swallowed(1100, 0.0)
    survey(path, 800, 0.0)
    assert path.limit in range(800 - FINE, 801)


def test_the_limit_is_unlearned_with_time() -> None:
    path = PathLimit(FULL)
    path.swallowed(1100, 0.0)
    survey(path, 800, 0.0)
    assert not path.is_survey_due(SURVEY_EVERY_S - 1)
    assert path.is_survey_due(SURVEY_EVERY_S)
    survey(path, FULL, SURVEY_EVERY_S)
    assert path.limit == FULL


def test_a_survey_without_an_answer_is_repeated_sooner() -> None:
    path = PathLimit(FULL)
    path.swallowed(1100, 0.0)
    path.surveyed([], 0.0)
    assert path.limit == 550
    assert path.is_survey_due(SURVEY_AGAIN_S)


def test_a_loss_that_looked_like_a_limit_costs_one_survey() -> None:
    path = PathLimit(FULL)
    path.swallowed(1100, 0.0)
    survey(path, FULL, 0.0)
    assert path.limit == FULL


def test_a_server_that_swallows_long_requests_alone_is_searched_by_halves() -> None:
    """The questions of a survey pass there; only requests tell."""
    path, swallowed, carries = PathLimit(FULL), 0, 700
    for now_s in range(300):
        if path.is_survey_due(now_s):
            survey(path, FULL, now_s)
        if path.limit <= carries:
            path.answered(path.limit)
        else:
            path.swallowed(path.limit, now_s)
            swallowed += 1
    assert carries - 3 * FINE <= path.limit <= carries
    assert swallowed <= 10


def test_that_server_is_believed_again_after_a_while() -> None:
    path = PathLimit(FULL)
    for now_s in (0.0, 1.0):
        path.swallowed(FULL, now_s)
        survey(path, FULL, now_s)
    assert path.limit < FULL
    survey(path, FULL, 1 + SURVEY_EVERY_S)
    assert path.limit == FULL
