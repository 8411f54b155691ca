"""What is sent to ThingsBoard: values as JSON, and the readings of one credential packed into a message.

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
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from bridge.spool import Row

Value = int | float | str | bool

MAX_DECIMALS = 16  # JsonConverter: BigDecimal.scale() > 16 becomes a string
MAX_KEY = 255  # KvUtils, in UTF-16 units
INT64 = range(-(2**63), 2**63)

_UNPLAIN = re.compile(r"[<>\x00-\x1f\x7f]+|\{{2,}|\}{2,}")
_AMBIGUOUS = {"ts": "ts_"}  # {"ts", "values"} is a timestamp and the values of that time, wherever it stands


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
