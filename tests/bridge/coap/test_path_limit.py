"""What is learned of a path that swallows long messages, and unlearned: on a clock that the test moves."""

from __future__ import annotations

import random

import pytest

from bridge.coap.path_limit import FINE, SHORTEST, SURVEY_AGAIN_S, SURVEY_EVERY_S, PathLimit

FULL = 1152


def survey(path: PathLimit, carries: int, now_s: float) -> None:
    """Surveys a path that carries messages up to a length, as the client does."""
    first = [length for length in path.survey() if length <= carries]
    second = [length for length in path.survey(max(first, default=path.limit)) if length <= carries]
    path.finish_survey([*first, *second], now_s)


def test_nothing_is_surveyed_while_nothing_is_swallowed() -> None:
    path = PathLimit(FULL)
    path.record_answer(1000)
    assert path.limit == FULL
    assert not path.is_survey_due(1e6)


@pytest.mark.parametrize("carries", [330, 500, 600, 972, 1000, 1100, 1151])
def test_one_swallowed_message_and_a_survey_find_the_limit(carries: int) -> None:
    path = PathLimit(FULL)
    path.record_answer(150)
    path.record_loss(FULL, 0.0)
    for now_s in range(0, 600, 60):
        if path.limit > carries:
            path.record_loss(path.limit, now_s)
        elif path.is_survey_due(now_s):
            survey(path, carries, now_s)
    assert carries - FINE <= path.limit <= carries


def test_readings_flow_on_before_the_survey() -> None:
    path = PathLimit(FULL)
    path.record_answer(700)
    path.record_loss(1000, 0.0)
    assert path.limit == 700
    assert path.is_survey_due(0.0)


def test_silence_at_a_proven_length_teaches_nothing() -> None:
    path = PathLimit(FULL)
    path.record_answer(1000)
    path.record_loss(1000, 0.0)
    assert path.limit == FULL


def test_what_is_short_is_never_to_blame() -> None:
    path = PathLimit(FULL)
    path.record_loss(SHORTEST, 0.0)
    assert path.limit == FULL


def test_a_path_that_has_changed_is_learned_anew() -> None:
    path = PathLimit(FULL)
    path.record_answer(FULL)
    path.doubt(1100)
    assert path.is_proven(1100)
    path.doubt(1100)
    assert not path.is_proven(1100)
    path.record_loss(1100, 0.0)
    survey(path, 800, 0.0)
    assert path.limit in range(800 - FINE, 801)


def test_the_limit_is_unlearned_with_time() -> None:
    path = PathLimit(FULL)
    path.record_loss(1100, 0.0)
    survey(path, 800, 0.0)
    assert not path.is_survey_due(SURVEY_EVERY_S - 1)
    assert path.is_survey_due(SURVEY_EVERY_S)
    survey(path, FULL, SURVEY_EVERY_S)
    assert path.limit == FULL


def test_a_survey_without_an_answer_is_repeated_sooner() -> None:
    path = PathLimit(FULL)
    path.record_loss(1100, 0.0)
    path.finish_survey([], 0.0)
    assert path.limit == 550
    assert path.is_survey_due(SURVEY_AGAIN_S)


def test_a_loss_that_looked_like_a_limit_costs_one_survey() -> None:
    path = PathLimit(FULL)
    path.record_loss(1100, 0.0)
    survey(path, FULL, 0.0)
    assert path.limit == FULL


def test_a_server_that_swallows_long_requests_alone_is_searched_by_halves() -> None:
    """The questions of a survey pass there; only requests tell."""
    path, swallowed, carries = PathLimit(FULL), 0, 700
    for now_s in range(300):
        if path.is_survey_due(now_s):
            survey(path, FULL, now_s)
        if path.limit <= carries:
            path.record_answer(path.limit)
        else:
            path.record_loss(path.limit, now_s)
            swallowed += 1
    assert carries - 3 * FINE <= path.limit <= carries
    assert swallowed <= 10


@pytest.mark.parametrize("carries", [330, 500, 700, 1100])
def test_a_server_that_acknowledges_long_requests_and_drops_them_is_searched_at_once(carries: int) -> None:
    path, ignored = PathLimit(FULL), 0
    for now_s in range(300):
        if path.is_survey_due(now_s):
            survey(path, FULL, now_s)  # its questions are answered: they tell nothing
        if path.limit > carries:
            ignored += path.record_ignored(path.limit, now_s)
        else:
            path.record_answer(path.limit)
    assert carries - 3 * FINE <= path.limit <= carries
    assert ignored <= 7 + 5  # and those of what was tried again


@pytest.mark.parametrize("carries", [800, 1100])
def test_a_path_that_is_taken_for_such_a_server_is_found_by_the_survey(carries: int) -> None:
    path = PathLimit(FULL)
    path.record_ignored(FULL, 0.0)
    survey(path, carries, 0.0)
    assert carries - FINE <= path.limit <= carries
    path.record_answer(path.limit)
    assert path.limit <= carries


def test_what_was_answered_is_not_ignored_for_its_length() -> None:
    path = PathLimit(FULL)
    path.record_answer(900)
    assert not path.record_ignored(900, 0.0)
    assert path.limit == FULL


def test_messages_that_readings_do_not_fill_move_the_search_on() -> None:
    path, carries, reading = PathLimit(FULL), 1000, 70
    path.record_ignored(FULL, 0.0)
    for now_s in range(1, 30):
        length = 50 + (path.limit - 50) // reading * reading
        if length > carries:
            path.record_ignored(length, now_s)
        else:
            path.record_answer(length)
    assert path.limit > carries - reading


@pytest.mark.parametrize(("loss", "least_share"), [(0.05, 0.98), (0.1, 0.98), (0.2, 0.9), (0.3, 0.6)])
@pytest.mark.parametrize("seed", range(5))
def test_random_loss_makes_no_message_short_for_long(loss: float, least_share: float, seed: int) -> None:
    """An hour of full messages, each datagram of which is lost with the same chance, both ways."""
    chance, path, lengths, now_s = random.Random(seed), PathLimit(FULL), [], 0.0

    def arrives() -> bool:
        return chance.random() < (1 - loss) ** 2

    while now_s < 3600:
        now_s += 1
        if path.is_survey_due(now_s):
            first = [length for length in path.survey() if arrives() or arrives()]
            passed = max(first, default=path.limit)
            second = [length for length in path.survey(passed) if arrives() or arrives()]
            path.finish_survey([*first, *second], now_s)
        length = path.limit - chance.randrange(60)
        lengths.append(length)
        if path.is_proven(length):
            if not any(arrives() for _ in range(4)):
                path.doubt(length)
                now_s += 18  # a whole cycle of retransmissions
                continue
        elif not (arrives() or arrives()):
            path.record_loss(length, now_s)
            continue
        path.record_answer(length)
    assert sum(lengths) / len(lengths) >= least_share * (FULL - 30)


def test_a_search_that_silence_by_chance_began_ends_with_an_answer() -> None:
    path = PathLimit(FULL)
    path.record_ignored(900, 0.0)
    for _ in range(30):
        path.record_answer(path.limit)
    assert path.limit == FULL


def test_that_server_is_believed_again_after_a_while() -> None:
    path = PathLimit(FULL)
    for now_s in (0.0, 1.0):
        path.record_loss(FULL, now_s)
        survey(path, FULL, now_s)
    assert path.limit < FULL
    survey(path, FULL, 1 + SURVEY_EVERY_S)
    assert path.limit == FULL
