"""Which address is tried first: on a clock that the test moves."""

from __future__ import annotations

import socket

import pytest

from bridge.coap.addresses import (
    FORGIVEN_AFTER_S,
    SPREAD_S,
    Address,
    AddressBook,
    attempt_delay_s,
)


def v4(last: int) -> Address:
    return socket.AF_INET, (f"192.0.2.{last}", 5684)


def v6(last: int) -> Address:
    return socket.AF_INET6, (f"2001:db8::{last}", 5684, 0, 0)


def test_the_systems_order_is_kept_with_the_families_in_turn() -> None:
    order = AddressBook().order([v6(1), v6(2), v6(3), v4(1), v4(2)], 0.0)
    assert order == [v6(1), v4(1), v6(2), v4(2), v6(3)]


def test_an_address_that_is_listed_twice_is_tried_once() -> None:
    assert AddressBook().order([v4(1), v4(2), v4(1)], 0.0) == [v4(1), v4(2)]


def test_a_bad_address_goes_last_until_it_is_forgiven() -> None:
    book = AddressBook()
    book.record_failure(v4(1), 0.0)
    assert book.order([v4(1), v4(2)], FORGIVEN_AFTER_S[0] - 1) == [v4(2), v4(1)]
    assert book.order([v4(1), v4(2)], FORGIVEN_AFTER_S[0]) == [v4(1), v4(2)]


def test_each_failure_in_a_row_is_remembered_for_longer_up_to_a_bound() -> None:
    book, now_s = AddressBook(), 0.0
    for _ in range(50):
        book.record_failure(v4(1), now_s)
        assert book.order([v4(1), v4(2)], now_s + FORGIVEN_AFTER_S[1]) == [v4(1), v4(2)]
    assert book.order([v4(1), v4(2)], now_s + FORGIVEN_AFTER_S[1] - 1) == [v4(2), v4(1)]


def test_the_one_that_worked_comes_first_and_its_failures_are_forgotten() -> None:
    book = AddressBook()
    book.record_failure(v4(2), 0.0)
    book.record_success(v4(2))
    assert book.order([v4(1), v4(2)], 0.0) == [v4(2), v4(1)]
    book.record_failure(v4(2), 1000.0)
    assert book.order([v4(1), v4(2)], 1000.0 + FORGIVEN_AFTER_S[0] - 1) == [v4(1), v4(2)]


def test_of_all_bad_ones_the_next_to_be_forgiven_is_first() -> None:
    book = AddressBook()
    book.record_failure(v4(2), 0.0)
    book.record_failure(v4(1), 1.0)
    assert book.order([v4(1), v4(2)], 2.0) == [v4(2), v4(1)]


def test_what_is_no_longer_an_address_is_forgotten() -> None:
    book = AddressBook()
    book.record_failure(v4(1), 0.0)
    book.order([v4(2)], 0.0)
    assert book.order([v4(1), v4(2)], 0.0) == [v4(1), v4(2)]


@pytest.mark.parametrize("count", [1, 2, 4, 8, 40, 1000])
def test_the_last_attempt_begins_soon_however_many_there_are(count: int) -> None:
    assert (count - 1) * attempt_delay_s(count) <= SPREAD_S
