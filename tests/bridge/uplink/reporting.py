"""What the tests of the reports share: a server and its readings, as the reports see them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.coap import Stats
from bridge.errors import UplinkError
from bridge.response_code import ResponseCode
from bridge.uplink.clients import UplinkClient

Path = tuple[str, ...]


class Server:
    """Stands in for the client and for the uplink's readings.

    Attributes:
        answer: the code of every answer; None for silence.
        round_trip_s: as the client has measured it.
        has_live: whether a live reading waits for its turn.
        silent: whether readings are held back because the server does not answer.
        posts: when, where and what was posted, accepted or not.
    """

    lanes = 4
    deadline_s = 300.0

    def __init__(self) -> None:
        self.answer: str | None = "2.01"
        self.round_trip_s: float | None = None
        self.has_live = False
        self.silent = False
        self.carries_readings = True
        self.room = 1024
        self.resets = 0
        self.posts: list[tuple[float, Path, bytes]] = []

    @property
    def stats(self) -> Stats:
        return Stats(0, {}, 0, 0, self.lanes, self.round_trip_s, None)

    async def post(self, path: Sequence[str], payload: bytes, *, at_once: bool = False) -> Any:
        self.posts.append((asyncio.get_running_loop().time(), tuple(path), payload))
        if self.answer is None:
            raise UplinkError("the server does not answer")
        return type("Response", (), {"code": ResponseCode(self.answer)})

    async def ping(self) -> bool:
        return self.answer is not None

    async def refresh(self) -> None:
        """The name does not change."""

    def budget(self, path: Sequence[str]) -> int:
        return self.room

    def longest(self, path: Sequence[str]) -> int:
        return 1024

    def record_ignored(self, path: Sequence[str], payload_length: int) -> None:
        """No path is too narrow here."""

    def reset(self) -> None:
        self.resets += 1

    def has_live_to_send(self) -> bool:
        return self.has_live

    def is_silent(self, client: UplinkClient) -> bool:
        return self.silent

    def are_sent_by(self, client: UplinkClient) -> bool:
        return self.carries_readings

    def told(self, token: str, resource: str) -> list[Mapping[str, Any]]:
        """Return what was posted to a device."""
        return [json.loads(body) for _, path, body in self.posts if path == ("api", "v1", token, resource)]


def bus_document(states: Mapping[str, str], last_ts: int = 1, **counts: int) -> dict[str, Any]:
    """Return the document of a bus whose sensors are in these states."""
    sensors = {name: {"state": state, "last_ts": last_ts, **counts} for name, state in states.items()}
    return {"bus": "meters", "state": "ready", "sensors": sensors, "line": {"wire_share": 0.25}}
