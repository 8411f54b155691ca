"""ThingsBoard's CoAP device API, resource by resource, over a store in memory.

Follows ThingsBoard 4.3: CoapTransportResource (common/transport/coap) for paths and answers, and
DeviceProvisionServiceImpl for provisioning. What it does not serve (RPC, claiming, firmware) is 4.04.
The store keys what it holds by token, key and timestamp, as the time series table does: a repeated reading
overwrites itself. It remembers more than the real one, so that a test can ask what was sent twice.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bridge.simulator.server import message as coap
from bridge.simulator.server.activity import Activity
from bridge.simulator.server.lenient_json import loads
from bridge.simulator.server.telemetry import BadTimestamp, Entry, Malformed, Stored, attributes, telemetry

TEXT_PLAIN, LINK_FORMAT, JSON = 0, 40, 50

_EFENTO_TIME = ("efento", "t")
_ROOTS = {(), ("fw",), (".well-known", "core")}
_RESOURCES = b"</api>,</api/v1>;obs,</efento>,</efento/m>,</fw>,</sw>"
_FEATURES = {"attributes", "telemetry", "rpc", "claim", "provision"}
_PROVISION_REQUIRED = {"provisionDeviceKey", "provisionDeviceSecret"}


class Answer(NamedTuple):
    """The answer of a resource.

    Attributes:
        code: of the response.
        payload: the body, in `content_format`; empty for most answers.
        is_separate: True for a message of its own, as a success to a post is; None: by its code.
        size: the longest body taken, as Size1.
    """

    code: int
    payload: bytes = b""
    content_format: int | None = None
    is_separate: bool | None = None
    size: int | None = None


class Arrival(NamedTuple):
    """One accepted entry: its arrival (monotonic seconds), its token, and the timestamp in it."""

    at: float
    token: str
    ts_ms: int


class Post(NamedTuple):
    """One accepted telemetry body, unchanged."""

    at: float
    token: str
    payload: bytes


@dataclass(slots=True)
class Received:
    """Counters of the accepted bodies.

    Attributes:
        posts: bodies.
        entries: timestamps in them.
        values: key values in them.
        duplicates: values whose token, key and timestamp were there before.
        conflicts: those of the duplicates that brought another value.
        entries_of: entries by token.
        answers: how often each code was answered, as "2.01".
    """

    posts: int = 0
    entries: int = 0
    values: int = 0
    duplicates: int = 0
    conflicts: int = 0
    entries_of: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)


class RateLimit:
    """A tenant profile's "20:1,600:60": each bucket holds so many points, refilled over so many seconds.

    All or nothing over all buckets, as bucket4j does: more points than a capacity never succeed.
    """

    def __init__(self, text: str, now: float) -> None:
        pairs = [pair.split(":") for pair in text.split(",")]
        self._buckets = [(float(capacity), float(seconds)) for capacity, seconds in pairs]
        self._levels = [capacity for capacity, _ in self._buckets]
        self._at = now

    def take(self, points: int, now: float) -> bool:
        """Take `points` from every bucket and return True, or take none from any and return False."""
        elapsed, self._at = now - self._at, now
        self._levels = [
            min(capacity, level + elapsed * capacity / seconds)
            for level, (capacity, seconds) in zip(self._levels, self._buckets, strict=True)
        ]
        if any(level < points for level in self._levels):
            return False
        self._levels = [level - points for level in self._levels]
        return True


class DeviceApi:
    """The resources and their content.

    Attributes:
        tokens: access tokens of the devices there are; may be changed at any time.
        stored: token → key → timestamp (ms) → value.
        attributes: token → key → value, client scope.
        provisioning: (device key, device secret) of the profile that lets devices be created, or None.
        rate_limit: data points a device may send, as "20:1,600:60", or None; may be changed at any time.
        activity: learns of every accepted post, if it is set.
    """

    def __init__(
        self,
        tokens: Iterable[str] = (),
        *,
        provisioning: tuple[str, str] | None = None,
        rate_limit: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tokens = set(tokens)
        self.stored: dict[str, dict[str, dict[int, Stored]]] = {}
        self.attributes: dict[str, dict[str, Stored]] = {}
        self.received = Received()
        self.arrivals: list[Arrival] = []
        self.posts: list[Post] = []
        self.provisioning = provisioning
        self.rate_limit = rate_limit
        self.activity: Activity | None = None
        self._devices: set[str] = set()
        self._limits: dict[tuple[str, str], RateLimit] = {}
        self._monotonic = monotonic

    def answer(
        self,
        code: int,
        path: Sequence[str],
        query: Sequence[str],
        payload: bytes,
        device: str | None = None,
    ) -> Answer | None:
        """Return the answer to a request; None for one that ThingsBoard never answers.

        Args:
            device: the name of the device whose certificate was shown; it stands for the token, in the path
                or not, in all that is stored.
        """
        if code == coap.GET and tuple(path) == _EFENTO_TIME:
            return Answer(coap.CONTENT, int(time.time()).to_bytes(4, "big"), is_separate=False)
        if tuple(path) in _ROOTS:
            is_get = code == coap.GET and tuple(path) != ("fw",)
            return (
                Answer(coap.CONTENT, _RESOURCES, LINK_FORMAT) if is_get else Answer(coap.METHOD_NOT_ALLOWED)
            )
        if path[0] != "api" or (len(path) > 1 and path[1] != "v1"):
            return Answer(coap.NOT_FOUND)
        if code not in (coap.GET, coap.POST) or len(path) == 1:
            return Answer(coap.METHOD_NOT_ALLOWED)
        feature = _feature(path)
        if feature is None or (code == coap.GET and feature in ("telemetry", "provision", "claim")):
            return Answer(coap.BAD_REQUEST)
        if feature == "provision":
            return self._provision(payload)
        token = device or path[2]
        if device is None and (len(path) < 4 or token not in self.tokens):
            return Answer(coap.UNAUTHORIZED)
        try:
            if feature == "telemetry":
                return self._telemetry(token, payload)
            if feature == "attributes":
                return self._get_attributes(token, query) if code == coap.GET else self._post(token, payload)
        except Malformed:
            return Answer(coap.BAD_REQUEST)
        except BadTimestamp:
            return Answer(coap.INTERNAL_SERVER_ERROR)
        return Answer(coap.NOT_FOUND)

    def _telemetry(self, token: str, payload: bytes) -> Answer | None:
        entries = telemetry(payload, int(time.time() * 1000))
        if not entries:
            return None  # its counter of entries to wait for starts at 0 and never comes down to it
        points = sum(len(entry.values) for entry in entries)
        if not self._within_limit(token, points):
            return Answer(coap.INTERNAL_SERVER_ERROR)
        now = self._monotonic()
        self.posts.append(Post(now, token, payload))
        self.received.posts += 1
        for entry in entries:
            self._store(token, entry)
            self.arrivals.append(Arrival(now, token, entry.ts_ms))
        self._record_activity(token)
        return Answer(coap.CREATED)

    def _store(self, token: str, entry: Entry) -> None:
        self.received.entries += 1
        self.received.entries_of[token] += 1
        series = self.stored.setdefault(token, {})
        for key, value in entry.values.items():
            self.received.values += 1
            of_key = series.setdefault(key, {})
            if entry.ts_ms in of_key:
                self.received.duplicates += 1
                previous_value = of_key[entry.ts_ms]
                self.received.conflicts += (type(previous_value), previous_value) != (type(value), value)
            of_key[entry.ts_ms] = value

    def _within_limit(self, token: str, points: int) -> bool:
        if self.rate_limit is None:
            return True
        key = (token, self.rate_limit)
        now = self._monotonic()
        if key not in self._limits:
            self._limits[key] = RateLimit(self.rate_limit, now)
        return self._limits[key].take(points, now)

    def _post(self, token: str, payload: bytes) -> Answer:
        self.attributes.setdefault(token, {}).update(attributes(payload))
        self._record_activity(token)
        return Answer(coap.CREATED)

    def _record_activity(self, token: str) -> None:
        if self.activity is not None:
            self.activity.record(token, self._monotonic())

    def _get_attributes(self, token: str, query: Sequence[str]) -> Answer:
        parameters = dict(item.partition("=")[::2] for item in query)
        values = self.attributes.get(token, {})
        if parameters:
            client_keys = parameters.get("clientKeys", "").split(",")
            values = {key: value for key, value in values.items() if key in client_keys}
        if not values:
            return Answer(coap.NOT_FOUND, b"", JSON, is_separate=True)
        return Answer(coap.CONTENT, json.dumps({"client": values}).encode(), JSON)

    def _provision(self, payload: bytes) -> Answer:
        """Create a device and return its credentials.

        Not idempotent: a client that loses the answer gets FAILURE the second time.
        """
        try:
            document = loads(payload.decode(errors="replace"))
        except (ValueError, RecursionError):
            return Answer(coap.BAD_REQUEST)
        if not isinstance(document, dict) or not document.keys() >= _PROVISION_REQUIRED:
            return Answer(coap.BAD_REQUEST)
        request = {key: str(value) for key, value in document.items()}
        profile = (request["provisionDeviceKey"], request["provisionDeviceSecret"])
        if profile != self.provisioning:
            return _provision_failure("Provision data was not found!", "NOT_FOUND")
        name = request.get("deviceName", secrets.token_hex(10)).strip()
        kind = request.get("credentialsType", "ACCESS_TOKEN")
        by_certificate = kind == "X509_CERTIFICATE"
        value = request.get("hash" if by_certificate else "token") or secrets.token_hex(10)
        if not name or name in self._devices or value in self.tokens:
            return _provision_failure("Failed to provision device!", "FAILURE")
        self._devices.add(name)
        if not by_certificate:
            self.tokens.add(value)
        body = {"credentialsType": kind, "credentialsValue": value, "status": "SUCCESS"}
        text = json.dumps(body, separators=(",", ":")).encode()
        return Answer(coap.CREATED, text, TEXT_PLAIN, is_separate=False)


def _feature(path: Sequence[str]) -> str | None:
    """Return the feature that a path names; None if it names none.

    It is the fourth segment, or the third where a certificate stands for the token.
    """
    if len(path) < 3:
        return None
    if len(path) == 3 and path[2] == "provision":
        return "provision"
    numbered = len(path) == 4 and path[3].isdigit()
    name = path[2 if len(path) == 3 or numbered else 3].lower()
    return name if name in _FEATURES else None


def _provision_failure(reason: str, status: str) -> Answer:
    body = {"errorMsg": reason, "status": status}
    return Answer(coap.BAD_REQUEST, json.dumps(body, separators=(",", ":")).encode(), TEXT_PLAIN)
