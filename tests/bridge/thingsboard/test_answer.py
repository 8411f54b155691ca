"""What each answer of ThingsBoard asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.errors import ConnectionEnded, NotTrusted, UplinkError
from bridge.response_code import ResponseCode
from bridge.thingsboard import Action, SentMessage, decide

ONE = SentMessage(readings=1, points=5)
MANY = SentMessage(readings=20, points=100)
SILENT = UplinkError("tb:5683 was silent")
UNTRUSTED = NotTrusted("the certificate of tb:5684 has expired")
GOODBYE = ConnectionEnded("tb:5684 closed the connection")


@pytest.mark.parametrize(
    ("answer", "sent", "action", "says"),
    [
        ("2.01", MANY, Action.COMMIT, ""),
        ("2.04", ONE, Action.COMMIT, ""),
        ("2.05", ONE, Action.COMMIT, ""),
        ("4.00", MANY, Action.BISECT, "refuses a reading"),
        ("4.00", replace(MANY, suspect=True), Action.BISECT, "refuses a reading"),
        ("4.00", ONE, Action.SET_ASIDE, "refuses a reading"),
        ("4.00", replace(ONE, aside=1), Action.SET_ASIDE, "refuses a reading"),
        ("4.00", replace(ONE, aside=2), Action.SET_ASIDE_AND_HOLD, "check the device profile's payload type"),
        ("4.00", replace(ONE, suspect=True), Action.REFUSE, "accepts others"),
        ("4.00", replace(ONE, suspect=True, aside=9), Action.REFUSE, "accepts others"),
        ("4.01", ONE, Action.HOLD, "access token"),
        ("4.01", MANY, Action.HOLD, "access token"),
        ("4.01", replace(ONE, certificate=True), Action.RENEW, "connection"),
        ("4.01", replace(ONE, certificate=True, renewed=True), Action.HOLD, "certificate"),
        ("4.02", ONE, Action.HOLD, "4.02"),
        ("4.03", ONE, Action.HOLD, "4.03"),
        ("4.04", ONE, Action.HOLD, "ThingsBoard's CoAP port"),
        ("4.05", ONE, Action.HOLD, "ThingsBoard's CoAP port"),
        ("4.08", MANY, Action.BISECT, "4.08"),
        ("4.08", ONE, Action.SET_ASIDE, "4.08"),
        ("4.13", MANY, Action.SHORTEN, "too long"),
        ("4.13", ONE, Action.SHORTEN, "too long"),
        ("4.13", replace(ONE, points=1), Action.SET_ASIDE, "4.13"),
        ("4.13", replace(ONE, points=1, suspect=True), Action.REFUSE, "accepts others"),
        ("4.15", ONE, Action.HOLD, "payload type"),
        ("4.29", MANY, Action.SLOW_DOWN, "limits the rate"),
        ("4.31", ONE, Action.SET_ASIDE, "4.31"),
        ("4.31", replace(ONE, aside=2), Action.SET_ASIDE_AND_HOLD, "every reading (4.31)"),
        ("4.31", replace(ONE, suspect=True), Action.REFUSE, "accepts others"),
        ("3.00", ONE, Action.SET_ASIDE, "3.00"),
        ("5.00", MANY, Action.SLOW_DOWN, "limits the rate"),
        ("5.00", replace(ONE, points=1), Action.SLOW_DOWN, "even to a single value"),
        ("5.03", MANY, Action.SLOW_DOWN, "5.03"),
        (SILENT, MANY, Action.BACK_OFF, "tb:5683 was silent"),
        (SILENT, replace(MANY, others_answered=True), Action.WAIT, "tb:5683 was silent"),
        (UNTRUSTED, MANY, Action.HOLD_LINK, "has expired"),
        (UNTRUSTED, replace(MANY, others_answered=True), Action.HOLD_LINK, "has expired"),
        (GOODBYE, MANY, Action.RENEW, "closed"),
        (GOODBYE, replace(MANY, renewed=True), Action.BACK_OFF, "closed"),
    ],
)
def test_an_answer_decides(answer: str | UplinkError, sent: SentMessage, action: Action, says: str) -> None:
    decision = decide(answer if isinstance(answer, UplinkError) else ResponseCode(answer), sent)
    assert decision.action is action
    assert says in decision.reason


@pytest.mark.parametrize("answer", [f"{kind}.{detail:02}" for kind in range(8) for detail in range(32)])
def test_no_answer_condemns_a_reading_that_was_not_refused_alone_twice(answer: str) -> None:
    for sent in (ONE, MANY, replace(MANY, suspect=True, aside=9), replace(ONE, points=1)):
        action = decide(ResponseCode(answer), sent).action
        assert action is not Action.REFUSE
        assert (action is Action.COMMIT) == answer.startswith("2.")


@pytest.mark.parametrize("answer", [f"{kind}.{detail:02}" for kind in range(8) for detail in range(32)])
def test_only_what_is_known_to_concern_every_reading_holds_the_one_at_the_head(answer: str) -> None:
    action = decide(ResponseCode(answer), replace(ONE, points=1, suspect=True)).action
    concerns_all = answer in {"4.01", "4.02", "4.03", "4.04", "4.05", "4.15"}
    assert (action is Action.HOLD) == concerns_all
