"""What an answer of ThingsBoard, or the lack of one, means for a message, its credential and the link.

    2.xx                  the message is delivered
    4.00, unknown codes   perhaps one of its readings: it is halved, until one is refused alone
    4.01 to 4.05, 4.15    the credential, or the server's side of it: somebody must act
    4.13                  the message's length
    4.29, 5.xx            too fast
    no answer             the link: wait, or a fresh handshake, or a fresh socket

5.00 is ThingsBoard's answer to an exceeded rate limit, to a device profile of another transport type and to
its own failures alike, so it never condemns a reading; more values at once than the limit's bucket holds
fail for ever, so fewer are sent. 4.00, and every unknown code, condemns a reading only when that reading is
refused alone, twice, with another of its credential accepted in between: a wrong payload type in the profile
refuses them all. So does a path that is too narrow for one of its values. So no answer holds the readings
behind it for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from bridge.errors import ConnectionEnded, NotTrusted, PathTooNarrow, UplinkError
from bridge.response_code import (
    BAD_OPTION,
    FORBIDDEN,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    REQUEST_ENTITY_TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    UNSUPPORTED_CONTENT_FORMAT,
    ResponseCode,
)


class Action(Enum):
    """The next step for a batch, its credential or the link after an answer or the lack of one."""

    COMMIT = "delivered: it leaves the spool"
    BISECT = "one of these readings is refused: send each half"
    SET_ASIDE = "this reading is refused: wait until another of its credential is accepted, then try it again"
    REFUSE = "this reading alone is refused: keep it apart with the reason"
    HOLD = "the credential waits, for longer each time"
    SET_ASIDE_AND_HOLD = "reading after reading is refused: the credential waits"
    SLOW_DOWN = "the credential sends fewer values a second, and fewer at once"
    SHORTEN = "the message is too long: fewer values at once"
    WAIT = "the credential waits a little; nothing is learned of how fast it may send"
    RENEW = "a fresh handshake, then at once again"
    BACK_OFF = "the link waits, for longer each time, and gets a fresh socket"
    HOLD_LINK = "the link waits as long as a credential that is held: somebody must act first"


@dataclass(frozen=True, slots=True)
class Decision:
    """An action, and its reason in a sentence for the person who looks after the site."""

    action: Action
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that was sent, and the history of its credential.

    Attributes:
        readings: number of readings in the message.
        points: number of values in the message.
        suspect: this one reading was refused alone before, and another of its credential was accepted since.
        aside: readings of the credential that were refused alone since it last had one accepted.
        certificate: the device shows a certificate, not a token.
        renewed: there was a fresh handshake for this credential since it was last accepted.
        others_answered: the server has answered others that were sent after this credential's first request
            without an answer.
    """

    readings: int = 1
    points: int = 1
    suspect: bool = False
    aside: int = 0
    certificate: bool = False
    renewed: bool = False
    others_answered: bool = False


ASIDE_BEFORE_HOLD = 3  # so many refused one after the other, none accepted: it is not the readings

_HOLDS: Mapping[ResponseCode, str] = {
    BAD_OPTION: "the server does not understand the request's options (4.02): is it ThingsBoard?",
    FORBIDDEN: "the server forbids the request (4.03): check the url and who may use it",
    NOT_FOUND: "the server has no such resource (4.04): check that the url is ThingsBoard's CoAP port",
    METHOD_NOT_ALLOWED: (
        "the server does not take readings there (4.05): check that the url is ThingsBoard's CoAP port"
    ),
    UNSUPPORTED_CONTENT_FORMAT: (
        "the server does not take JSON (4.15): check the device profile's payload type"
    ),
}


def decide(answer: ResponseCode | UplinkError, message: SentMessage) -> Decision:
    """Return the action that a response code, or the error in its place, asks for."""
    if isinstance(answer, UplinkError):
        return _unanswered(answer, message)
    if answer.is_success:
        return Decision(Action.COMMIT)
    if answer == UNAUTHORIZED:
        return _unauthorized(message)
    if answer == REQUEST_ENTITY_TOO_LARGE and message.points > 1:
        return Decision(Action.SHORTEN, "the server finds the message too long (4.13)")
    if answer == TOO_MANY_REQUESTS or answer.is_server_error:
        return _overloaded(answer, message)
    if answer in _HOLDS:
        return Decision(Action.HOLD, _HOLDS[answer])
    return _bad_request(answer, message)


def _unanswered(error: UplinkError, message: SentMessage) -> Decision:
    if isinstance(error, NotTrusted):
        return Decision(Action.HOLD_LINK, str(error))
    if isinstance(error, PathTooNarrow):
        return Decision(Action.REFUSE if message.suspect else Action.SET_ASIDE, str(error))
    if isinstance(error, ConnectionEnded) and not message.renewed:
        return Decision(Action.RENEW, str(error))
    return Decision(Action.WAIT if message.others_answered else Action.BACK_OFF, str(error))


def _bad_request(answer: ResponseCode, message: SentMessage) -> Decision:
    if message.readings > 1:
        return Decision(Action.BISECT, f"the server refuses a reading ({answer})")
    if message.suspect:
        return Decision(
            Action.REFUSE, f"the server refuses this reading ({answer}) and accepts others of its sensor"
        )
    if message.aside + 1 < ASIDE_BEFORE_HOLD:
        return Decision(Action.SET_ASIDE, f"the server refuses a reading ({answer})")
    return Decision(
        Action.SET_ASIDE_AND_HOLD,
        f"the server refuses every reading ({answer}): check the device profile's payload type",
    )


def _unauthorized(message: SentMessage) -> Decision:
    if not message.certificate:
        return Decision(
            Action.HOLD,
            "the server does not know its access token (4.01): compare credentials.toml with the device",
        )
    if not message.renewed:  # after 24 h of silence, or from a new port: it only wants to see it again
        return Decision(Action.RENEW, "the server does not know the connection (4.01)")
    return Decision(
        Action.HOLD,
        "the server does not know its certificate (4.01): compare it with the device's credentials",
    )


def _overloaded(answer: ResponseCode, message: SentMessage) -> Decision:
    if message.points > 1:
        return Decision(Action.SLOW_DOWN, f"the server is overloaded or limits the rate ({answer})")
    return Decision(
        Action.SLOW_DOWN,
        f"the server answers {answer} even to a single value: its rate limit, its own failure, "
        "or a device profile of another transport type",
    )
