"""The order of a scan, and what is left of it once something was found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.causes import Cause
from bridge.commands.scan.plan import (
    Limits,
    other_parities,
    patient,
    rest,
    second_pass,
    seldom_elsewhere,
    steps,
)
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Scanning, Scope, Search, Trouble, numbers_in

USUAL, SELDOM = LineSettings(9600), LineSettings(9600, parity="E")
SLOW_LINE = LineSettings(1200)


def nobody(_: Scope) -> Search:
    return
    yield


MANY = Scanning(
    lines=(USUAL, SELDOM, SLOW_LINE),
    rounds=(("1", "2"), ("3", "4", "5")),
    reply_within_s=0.02,
    slow_reply_within_s=0.1,
    search=nobody,
    weight=20.0,
    addressed=lambda text: numbers_in(text, 1, 5),
)
SOLE = Scanning(lines=(USUAL,), search=nobody)
BOTH = {"many": MANY, "sole": SOLE}


def test_what_promises_most_for_its_time_comes_first() -> None:
    planned = steps(BOTH, Limits())
    assert (planned[0].protocol, planned[0].scope.line, planned[0].round) == ("many", USUAL, 0)
    assert planned[-1].scope.line == SLOW_LINE or planned[-1].protocol == "sole"
    assert len(planned) == 7
    assert len({step.key for step in planned}) == 7


def test_at_a_line_that_is_known_those_come_first_for_whom_it_is_usual() -> None:
    metering = Scanning(lines=(SLOW_LINE,), search=nobody, weight=8.0, reply_within_s=0.02)
    at_usual, at_slow = (
        [step.protocol for step in steps({"many": MANY, "metering": metering}, Limits(line=line))]
        for line in (USUAL, LineSettings(1200, stopbits=2))
    )
    assert (at_usual[0], at_slow[0]) == ("many", "metering")


def test_nobody_who_sends_octets_is_looked_for_on_a_line_of_seven_bits() -> None:
    texts = Scanning(lines=(LineSettings(9600, 7, "E"), USUAL), search=nobody)
    line = LineSettings(2400, 7, "E")
    assert {step.protocol for step in steps({**BOTH, "texts": texts}, Limits(line=line))} == {"texts"}
    assert {step.protocol for step in steps({"sole": SOLE}, Limits(line=line))} == {"sole"}


def test_everybody_is_asked_once_before_the_seldom_addresses() -> None:
    """A search of all addresses takes as long as ten others together."""
    addresses = tuple(map(str, range(17, 248)))
    modbus = Scanning(
        lines=(USUAL,), rounds=(("1",), addresses), reply_within_s=0.02, search=nobody, weight=20.0
    )
    alone = Scanning(lines=(USUAL,), search=nobody, reply_within_s=0.5, requests=2)
    planned = steps({"modbus": modbus, "alone": alone}, Limits(line=USUAL))
    assert [(step.protocol, step.round) for step in planned] == [("modbus", 0), ("alone", 0), ("modbus", 1)]


def test_a_person_limits_line_settings_addresses_and_depth() -> None:
    assert {step.scope.line for step in steps(BOTH, Limits(line=SELDOM))} == {SELDOM}
    assert {step.round for step in steps(BOTH, Limits(is_quick=True))} == {0}
    chosen = steps({"many": MANY}, Limits(line=USUAL, addresses="2,4-5"))
    assert [step.scope.addresses for step in chosen] == [("2", "4", "5")]
    other = replace(MANY, weight=1.0, addressed=lambda text: numbers_in(text, 7, 7))
    with pytest.raises(ValueError, match="use 1–5"):
        steps({"many": MANY, "other": other}, Limits(addresses="9"))
    with pytest.raises(ValueError, match="use 1–5"):
        steps({"many": MANY}, Limits(addresses="9"))


def test_where_something_was_found_that_setting_is_finished_then_others_of_its_speed() -> None:
    planned = steps(BOTH, Limits())
    left = rest("many", USUAL, planned[1:], (), is_quick=False)
    own = [step for step in left if step.place == ("many", USUAL)]
    assert left[: len(own)] == own
    assert {step.scope.line for step in left if step.round} == {USUAL, SELDOM}
    assert {step.scope.line for step in rest("many", USUAL, planned, (), is_quick=True)} == {USUAL}


def test_of_other_protocols_only_neighbours_are_asked_for_their_seldom_addresses() -> None:
    both = {"many": MANY, "text": MANY, "sole": SOLE}
    planned = steps(both, Limits())
    for neighbours, rounds in (((), {0}), (("text",), {0, 1})):
        left = rest("many", USUAL, planned, neighbours, is_quick=False)
        assert {step.round for step in left if step.place == ("text", USUAL)} == rounds


def test_an_odd_parity_and_the_slowest_speed_cost_little_where_nothing_of_it_was_found() -> None:
    odd = LineSettings(9600, parity="O")
    many = replace(MANY, lines=(USUAL, SELDOM, odd, SLOW_LINE))
    left = rest("many", USUAL, steps({"many": many}, Limits()), (), is_quick=False)
    assert {step.round for step in left if step.scope.line == SELDOM} == {0, 1}
    assert {step.round for step in left if step.scope.line == odd} == {0}
    assert SLOW_LINE not in {step.scope.line for step in left}


def test_meters_with_another_parity_are_looked_for_at_the_speed_of_those_that_were_found() -> None:
    meters = Scanning(lines=(USUAL,), search=nobody)
    odd_one = list(other_parities({"meters": meters}, Limits(), USUAL, set()))
    assert [str(step.scope.line) for step in odd_one] == ["9600 8E1"]
    assert not list(other_parities({"meters": meters}, Limits(), USUAL, {odd_one[0].key}))
    assert not list(other_parities({"meters": meters}, Limits(line=USUAL), USUAL, set()))


def test_seldom_addresses_are_asked_at_the_other_usual_speeds_of_the_same_parity() -> None:
    fast, slow = LineSettings(19200), LineSettings(2400)
    many = replace(MANY, lines=(USUAL, fast, slow, SELDOM, SLOW_LINE))
    elsewhere = seldom_elsewhere("many", USUAL, steps({"many": many, "sole": SOLE}, Limits()))
    assert {(step.scope.line, step.round) for step in elsewhere} == {(fast, 1), (slow, 1)}


def test_the_second_pass_asks_the_silent_ones_more_patiently() -> None:
    planned = steps(BOTH, Limits(line=USUAL))
    (first, second) = second_pass(BOTH, planned, {("many", USUAL): {"1"}})
    assert (first.scope.addresses, first.scope.reply_within_s) == (("2",), 0.1)
    assert second.scope.addresses == ("3", "4", "5")


def test_where_nobody_was_found_single_devices_are_given_more_time() -> None:
    (again,) = patient(steps(BOTH, Limits(line=USUAL)))
    assert again.protocol == "sole"
    assert again.scope.reply_within_s > 1


def test_each_trouble_is_a_cause_that_has_its_sentence() -> None:
    assert all(Cause(trouble.value) for trouble in Trouble)
