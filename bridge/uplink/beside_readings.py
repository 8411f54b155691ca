"""Posts beside the readings: what the bridge says of itself never delays what a sensor said.

    behind      nothing is sent while a live reading waits for its turn
    1 %         posts are so far apart that they take no more than that of what the link carries
    refused     a path that is not accepted waits, for longer each time, and says so once

Where live readings wait without an end, more is read than the link carries: after `PATIENCE_S` one post goes
all the same, because a gateway that says nothing is taken for dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from bridge.config import Certificate, Credentials, Token
from bridge.errors import UplinkError
from bridge.thingsboard import Action, SentMessage, Value, decide, encode_values
from bridge.uplink.clients import UplinkClient
from bridge.uplink.pace import Wait

SHARE: Final = 0.01  # of what the link carries
MOST_PER_S: Final = 150.0  # messages that the uplink sends at most
FURTHEST_S: Final = 200.0  # apart on the slowest link: a gateway counts as dead after 5 minutes
PATIENCE_S: Final = 60.0
DEADLINE_S: Final = 30.0
_LOOK_EVERY_S: Final = 0.2
_JITTER: Final = 0.25
_CERTIFICATE_PATH: Final = 3  # segments: no token stands among them
_SILENCE_S: Final = (5.0, 60.0)
_HOLD_S: Final = (60.0, 900.0)


class Readings(Protocol):
    """The part of `bridge.uplink.Uplink` that tells whether readings leave room for something else."""

    def has_live_to_send(self) -> bool:
        """Return whether a live reading waits for its turn."""

    def is_silent(self, client: UplinkClient) -> bool:
        """Return whether readings to this client are held back because the server does not answer."""

    def are_sent_by(self, client: UplinkClient) -> bool:
        """Return whether the readings of any sensor are sent by this client."""


@dataclass(frozen=True, slots=True)
class Device:
    """How a device of the site is reached.

    Attributes:
        client: the client to use.
        base: the path of its resources, without the last part.
    """

    client: UplinkClient
    base: tuple[str, ...]


def device_of(
    name: str,
    credentials: Credentials,
    client: UplinkClient,
    own_clients: Mapping[Certificate, UplinkClient],
) -> Device | None:
    """Return how the device called `name` is reached; None if it has no credential that can be used."""
    match credentials.sensors.get(name):
        case Token(value):
            return Device(client, ("api", "v1", value))
        case Certificate() as certificate if certificate in own_clients:
            return Device(own_clients[certificate], ("api", "v1"))
    return None


class BesideReadings:
    """Send posts that are no readings, one at a time, in the room that readings leave.

    Args:
        readings: tells when there is room.

    Attributes:
        trouble: by path, why its last post was not accepted, in a sentence.
    """

    def __init__(self, readings: Readings) -> None:
        self.trouble: dict[tuple[str, ...], str] = {}
        self._readings = readings
        self._one_at_a_time = asyncio.Lock()
        self._next_at = 0.0
        self._waits: dict[tuple[str, ...], dict[tuple[float, float], Wait]] = {}
        self._wait_until: dict[tuple[str, ...], float] = {}

    async def post(self, device: Device, resource: str, payload: bytes) -> bool:
        """Post JSON to a resource of a device when there is room; return whether the server accepted it.

        A path that was refused, or a server that is silent, is left alone until its time has come: the caller
        asks again, as often as it likes.

        Args:
            device: whose.
            resource: "telemetry" or "attributes".
            payload: the body.
        """
        path = (*device.base, resource)
        async with self._one_at_a_time:
            if not await self._has_room(device.client, path):
                return False
            try:
                async with asyncio.timeout(DEADLINE_S):
                    answer = (await device.client.post(path, payload)).code
            except (TimeoutError, UplinkError) as error:
                self._wait(path, str(error) or "the server does not answer", _SILENCE_S)
                self._renew(device.client)
                return False
            finally:
                self._next_at = asyncio.get_running_loop().time() + _spacing_s(device.client)
        decision = decide(answer, SentMessage(certificate=len(path) == _CERTIFICATE_PATH, renewed=True))
        if decision.action is Action.COMMIT:
            for by_path in (self.trouble, self._wait_until, self._waits):
                by_path.pop(path, None)
            return True
        is_overloaded = decision.action in (Action.SLOW_DOWN, Action.WAIT)
        self._wait(path, decision.reason, _SILENCE_S if is_overloaded else _HOLD_S)
        self._renew(device.client)
        return False

    async def _has_room(self, client: UplinkClient, path: tuple[str, ...]) -> bool:
        """Wait until a post may be sent and return True; return False if it may not be for some time."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._wait_until.get(path, 0.0) or self._readings.is_silent(client):
            return False
        await asyncio.sleep(max(0.0, self._next_at - loop.time()))
        patient_until = loop.time() + PATIENCE_S
        while self._readings.has_live_to_send() and loop.time() < patient_until:  # noqa: ASYNC110 - feeds have no event for it
            await asyncio.sleep(_LOOK_EVERY_S)
        return not self._readings.is_silent(client)

    def _wait(self, path: tuple[str, ...], reason: str, bounds: tuple[float, float]) -> None:
        """Leave a path alone for a while, for longer each time."""
        wait = self._waits.setdefault(path, {}).setdefault(bounds, Wait(bounds, _JITTER))
        self._wait_until[path] = asyncio.get_running_loop().time() + wait.longer()
        self.trouble[path] = reason

    def _renew(self, client: UplinkClient) -> None:
        """Drop a connection that carries no readings; that of readings is their delivery's to drop."""
        if not self._readings.are_sent_by(client):
            client.reset()


def _spacing_s(client: UplinkClient) -> float:
    """Return the seconds between two posts at which they are `SHARE` of what the link carries."""
    round_trip_s = client.stats.srtt_s or 0.0
    per_s = min(MOST_PER_S, client.lanes / round_trip_s) if round_trip_s else MOST_PER_S
    return min(1 / (SHARE * per_s), FURTHEST_S)


def flat_messages(values: Mapping[str, Value], budget: int) -> Iterator[tuple[dict[str, Value], bytes]]:
    """Yield flat JSON objects that together hold the values, in their order, each as full as `budget` allows.

    This is the form of client attributes, and of telemetry that the server dates. A value that no message
    holds is left out.

    Args:
        values: by key.
        budget: the longest payload, in bytes.

    Yields:
        The values of one message, and its payload.
    """
    packed: dict[str, Value] = {}
    room = budget - len(b"{}")
    for key, value in values.items():
        member, points = encode_values({key: value})
        length = len(member) - len(b"{}")
        if not points or length > budget - len(b"{}"):
            continue
        if packed and length + len(b",") > room:
            yield packed, encode_values(packed)[0]
            packed, room = {}, budget - len(b"{}")
        room -= length + bool(packed) * len(b",")
        packed[key] = value
    if packed:
        yield packed, encode_values(packed)[0]
