"""ThingsBoard's CoAP device API as pure functions: encode values, pack batches, decide on answers.

Follows ThingsBoard 4.3: JsonConverter (common/proto) decides what becomes of a value, CoapTransportResource
(common/transport/coap) what is answered. Nothing here waits, reads a clock or opens anything.

The server answers 2.01 before it has looked closely, and drops later, without a word, the readings that it
does not accept. So every such reading is made acceptable here, before it is stored:

    float with more than 16 decimals   it would store a string            at most 16 decimals are written
    number with an exponent            may become a whole number          written out
    number of 2^63 or beyond           it would store a string            left out
    NaN, infinite                      it would store the string "NaN"    left out
    text with a NUL                    its database refuses it            the NUL is left out
    key blank, > 255 or like HTML      the whole reading is dropped       made plain
    key with `{{` or `}}`              the whole reading is dropped       made plain
    key `ts`, beside a key `values`    the whole reading is dropped       written `ts_`, always: one series
    `{}`, `[]`                         stored as nothing; never answered  never sent

One thing is left to the server: text that looks like a number ("007") it stores as that number (7), unless
its JSON_TYPE_CAST_ENABLED is false. Altering the text here to prevent that would be worse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING

from bridge.errors import BridgeError, ConnectionEnded, NotTrusted, PathTooNarrow, UplinkError
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

if TYPE_CHECKING:
    from bridge.spool import Row

Value = int | float | str | bool

MAX_DECIMALS = 16  # JsonConverter: BigDecimal.scale() > 16 becomes a string
MAX_KEY = 255  # KvUtils, in UTF-16 units
INT64 = range(-(2**63), 2**63)

_UNPLAIN = re.compile(r"[<>\x00-\x1f\x7f]+|\{{2,}|\}{2,}")
_AMBIGUOUS = {"ts": "ts_"}  # {"ts", "values"} is a timestamp and the values of that time, wherever it stands


# Values


def encode_values(values: Mapping[str, Value]) -> tuple[bytes, int]:
    """Encode the values of one reading as the compact JSON object that is stored and later sent as it is.

    Returns:
        The object, and its number of values. `(b"{}", 0)`, where no value was usable, is no reading.
    """
    members = [
        f"{json.dumps(key, ensure_ascii=False)}:{text}"
        for key, value in zip(plain_keys(tuple(values)), values.values(), strict=True)
        if (text := _text(value)) is not None
    ]
    return ("{" + ",".join(members) + "}").encode(errors="replace"), len(members)


def unstorable(values: Mapping[str, Value]) -> list[str]:
    """Return the keys whose values `encode_values` leaves out because ThingsBoard has no number for them."""
    return [key for key, value in values.items() if not _is_storable(value)]


def _is_storable(value: Value) -> bool:
    """Return whether `value` is text, a boolean, or a number that ThingsBoard stores as a number.

    A whole number becomes a LONG or, beyond 64 bits, a string of its digits; every float of 2^63 or more is
    a whole number, in whatever form it is written.
    """
    if isinstance(value, float):
        return isfinite(value) and abs(value) < 2**63
    return not isinstance(value, int) or value in INT64


def _text(value: Value) -> str | None:
    if not _is_storable(value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _decimal(value)
    return json.dumps(value.replace("\x00", ""), ensure_ascii=False)


def _decimal(value: float) -> str:
    """Return the shortest text that reads back as `value`.

    Where that has more than 16 decimals or an exponent, the text is rounded to 16 decimals.
    """
    text = repr(value)
    if "e" not in text and len(text) - text.index(".") - 1 <= MAX_DECIMALS:
        return text
    text = f"{value:.{MAX_DECIMALS}f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text


@lru_cache(maxsize=1024)
def plain_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys in a form that ThingsBoard accepts; keys that would become equal are numbered."""
    plain: dict[str, None] = {}
    for key in keys:
        clean = _UNPLAIN.sub("_", key).strip() or "value"
        name = stem = _at_most(_AMBIGUOUS.get(clean, clean), MAX_KEY)
        number = 1
        while name in plain:
            number += 1
            name = f"{_at_most(stem, MAX_KEY - 4)}_{number}"
        plain[name] = None
    return tuple(plain)


def _at_most(text: str, units: int) -> str:
    return text.encode("utf-16-le", "replace")[: 2 * units].decode("utf-16-le", "ignore")


# Batches


class Unsendable(BridgeError):
    """A reading that fits no message: it has no value, or a value longer than a message.

    Attributes:
        row: the reading.
    """

    def __init__(self, row: Row, reason: str) -> None:
        super().__init__(reason)
        self.row = row


@dataclass(frozen=True, slots=True)
class Batch:
    """The content of one message to the server.

    Attributes:
        payload: the body of the POST.
        rows: the readings in it, of one credential.
        points: the number of values in it, which the server's rate limits count.
        rest: the values of the only reading that did not fit, if it had to be cut; the reading is delivered
            when its rest is.
    """

    payload: bytes
    rows: tuple[Row, ...]
    points: int
    rest: Row | None = None


def telemetry_path(token: str | None) -> tuple[str, ...]:
    """Return the path to post readings to: under the device's token, or without one if it has a certificate.

    Args:
        token: the access token; None for a device that shows a certificate.
    """
    return ("api", "v1", "telemetry") if token is None else ("api", "v1", token, "telemetry")


def pack(rows: Sequence[Row], budget: int, max_points: int, *, timed: bool = True) -> Batch:
    """Pack as many of the first readings as one message holds; at least a part of the first one.

    Args:
        rows: not empty, of one credential, dated.
        budget: the longest payload, in bytes.
        max_points: the most values in the message, at least 1.
        timed: False leaves the timestamp out of a reading sent whole: the server then sets its own.

    Raises:
        Unsendable: the first reading fits no message.
    """
    elements: list[bytes] = []
    length = points = 0
    for row in rows:
        element = _element(row.ts_ms, row.body) if timed else row.body
        length += len(element) + 1  # a comma each; the brackets take one more than the commas save
        points += row.points
        if row.points == 0 or length + 1 > budget or points > max_points:
            break
        elements.append(element)
    if not elements:
        return _cut(rows[0], budget, max_points)
    packed_rows = tuple(rows[: len(elements)])
    return Batch(b"[%b]" % b",".join(elements), packed_rows, sum(row.points for row in packed_rows))


def _cut(row: Row, budget: int, max_points: int) -> Batch:
    """Return a batch of the first values of a reading that is too long for one message.

    Raises:
        Unsendable: the reading has no value, or its first one is longer than `budget` bytes.
    """
    values: dict[str, Value] = json.loads(row.body)
    room = budget - len(b"[%b]" % _element(row.ts_ms, b"{}"))
    first: dict[str, Value] = {}
    for key, value in values.items():
        member, _ = encode_values({key: value})
        room -= len(member) - len(b"{}") + bool(first)  # and a comma
        if room < 0 or len(first) == max_points:
            break
        first[key] = value
    if not values:
        raise Unsendable(row, "it holds no value")
    if not first:
        raise Unsendable(row, f"its value {next(iter(values))!r} is longer than a message of {budget} bytes")
    body, points = encode_values(first)
    rest_body, rest_points = encode_values({key: value for key, value in values.items() if key not in first})
    rest = replace(row, body=rest_body, points=rest_points) if rest_points else None
    return Batch(b"[%b]" % _element(row.ts_ms, body), (row,), points, rest)


def _element(ts_ms: int, body: bytes) -> bytes:
    return b'{"ts":%d,"values":%b}' % (ts_ms, body)


# Answers


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
    """Return the action that a response code, or the error in its place, asks for.

    5.00 is ThingsBoard's answer to an exceeded rate limit, to a device profile of another transport type and
    to its own failures alike, so it never condemns a reading; more values at once than the limit's bucket
    holds fail for ever, so fewer are sent. 4.00, and every unknown code, condemns a reading only
    when that reading is refused alone, twice, with another of its credential accepted in between: a wrong
    payload type in the profile refuses them all. So does a path that is too narrow for one of its values. So
    no answer holds the readings behind it for ever.
    """
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
    if (
        not message.renewed
    ):  # after 24 h of silence, or from a new port, it only wants to see the certificate again
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
