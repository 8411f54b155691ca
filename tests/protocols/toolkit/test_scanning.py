"""What may be claimed of a device, and the addresses that a person types."""

from __future__ import annotations

import pytest

from protocols.toolkit import claim_of, numbers_in


def test_a_model_that_wins_clearly_is_claimed() -> None:
    claim = claim_of({"sdm630": 0.95, "sdm120": 0.4})
    assert (claim.model, claim.confidence, claim.rivals) == ("sdm630", 0.95, ())


@pytest.mark.parametrize(
    "scores",
    [
        {"sdm630": 0.95, "sdm72": 0.9},  # too close
        {"sdm630": 0.7},  # too weak, though alone
    ],
)
def test_without_a_clear_winner_nothing_is_claimed(scores: dict[str, float]) -> None:
    claim = claim_of(scores)
    assert claim.model is None
    assert claim.confidence is None
    assert dict(claim.rivals) == scores


def test_the_best_three_are_listed_the_best_first() -> None:
    claim = claim_of({"a": 0.1, "b": 0.5, "c": 0.6, "d": 0.3, "e": 0.0})
    assert [name for name, _ in claim.rivals] == ["c", "b", "d"]


def test_numbers_and_ranges_are_read_in_the_order_in_which_they_are_typed() -> None:
    assert numbers_in("33, 1-3,2", 1, 247) == ("33", "1", "2", "3")


@pytest.mark.parametrize("text", ["5-1", "1-3, 20 - 19"])
def test_a_range_that_runs_backwards_is_refused_with_the_one_that_was_meant(text: str) -> None:
    with pytest.raises(ValueError, match=r'runs backwards, write the smaller number first: "(1-5|19-20)"'):
        numbers_in(text, 1, 247)


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "1-x", "0", "248", "-3", "240-300", "1-999999999999", "9" * 5000, "1-2-3", "²"]
)
def test_what_is_no_address_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"numbers and ranges|use 1–247"):
        numbers_in(text, 1, 247)
