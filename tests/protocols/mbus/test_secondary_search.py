"""The search for secondary addresses finds every meter of a line, whatever their numbers have in common."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from protocols.mbus.secondary import Secondary
from protocols.mbus.secondary_search import Answer, Nobody, One, Selection, Several, walk
from tests.faults.mbus_search import masked, outcomes

METER = Secondary("06855817", "KAM", 8, 4)


def search(
    meters: Sequence[Secondary],
    spoil: Callable[[Selection, Answer], Answer] = lambda selection, answer: answer,
) -> tuple[list[Secondary], Sequence[Secondary], int]:
    """Return who was found, what nothing divides, and how many probes it took."""
    search, told, probes = walk(), [], 0
    selection = next(search)
    while True:
        probes += 1
        covered = [meter for meter in meters if selection.pattern.covers(meter)]
        answer = spoil(
            selection, Nobody() if not covered else One(covered[0]) if len(covered) == 1 else Several()
        )
        if isinstance(answer, One) and not selection.is_census:
            told.append(answer.address)
        try:
            selection = search.send(answer)
        except StopIteration as over:
            return told, over.value, probes


def test_nobody_costs_one_probe_and_so_does_one() -> None:
    assert search([]) == ([], (), 1)
    assert search([METER]) == ([METER], (), 1)


def test_two_that_differ_in_the_last_digit_cost_eleven_probes() -> None:
    other = replace(METER, id="06855813")
    told, tied, probes = search([METER, other])
    assert (set(told), list(tied), probes) == ({METER, other}, [], 11)


@pytest.mark.parametrize("part", [{"medium": 7}, {"version": 9}, {"manufacturer": "LUG"}], ids=str)
def test_meters_with_one_number_are_told_apart_by_what_else_they_have(part: dict[str, object]) -> None:
    other = replace(METER, **part)
    told, tied, _ = search([METER, other])
    assert (set(told), list(tied)) == ({METER, other}, [])


def test_two_with_one_address_are_told_as_such() -> None:
    told, tied, _ = search([METER, METER, replace(METER, id="12345678")])
    assert told == [replace(METER, id="12345678")]
    assert list(tied) == [METER]


def test_a_number_with_letters_is_found() -> None:
    lettered = replace(METER, id="0685581c")
    assert set(search([METER, lettered])[0]) == {METER, lettered}


def test_noise_taken_for_several_meters_costs_requests_and_nothing_else() -> None:
    chance = random.Random(5)

    def noisy(selection: Selection, answer: Answer) -> Answer:
        return Several() if chance.random() < 0.05 else answer

    for seed in range(20):
        numbers = random.Random(seed).sample(range(10**8), 10)
        meters = [replace(METER, id=f"{number:08}") for number in numbers]
        told, tied, probes = search(meters, noisy)
        assert set(told) == set(meters)
        assert not tied
        assert probes < 400


def test_a_lost_reply_of_one_of_two_is_made_good() -> None:
    other = replace(METER, id="06855813")
    lost = [replace(METER, id="fffffff7")]

    def losing(selection: Selection, answer: Answer) -> Answer:
        if selection.pattern.id in [each.id for each in lost]:
            lost.clear()
            return Nobody()
        return answer

    assert set(search([METER, other], losing)[0]) == {METER, other}


def test_every_meter_of_random_sets_is_found_with_fewer_requests_than_by_libmbus() -> None:
    requests: Counter[tuple[str, str]] = Counter()
    for kind, meters, ours_line, libmbus_line in outcomes(200, seed=7):
        assert set(ours_line.answered) == set(meters), kind
        requests[kind, "ours"] += ours_line.requests
        requests[kind, "libmbus"] += libmbus_line.requests
    for kind, most in ("one box", 0.6), ("two boxes", 0.5), ("any numbers", 1.03):
        assert requests[kind, "ours"] < most * requests[kind, "libmbus"], kind


def test_the_search_that_ours_is_compared_with_finds_what_differs_in_digits() -> None:
    assert masked(METER) == "068558172d2c0804"
    for kind, meters, _, line in outcomes(30, seed=3):
        if kind != "numbers twice":
            assert set(line.answered) == set(meters)
