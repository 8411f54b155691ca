"""`diagnostics = true`: each sensor's line statistics as client attributes of its device in ThingsBoard.

They come from the buses' status documents, so it does not matter which process reads a bus. They are seldom
sent, to be in no reading's way: every quarter of an hour, and when a sensor's state changes. What does not
arrive is not sent again; the next time says more.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from math import inf

from bridge.config import Certificate, Credentials, Token
from bridge.errors import UplinkError
from bridge.status.documents import SensorDocument
from bridge.status.line_statistics import EXCEPTION, attributes
from bridge.status.runtime import Runtime
from bridge.thingsboard import telemetry_path
from bridge.uplink.clients import UplinkClient

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
SEND_EVERY_S = 900.0


class Diagnostics:
    """Send the line statistics of every sensor that has a credential.

    Args:
        runtime: where the buses' status documents are.
        client: the client for tokens, shared with the uplink.
        own_clients: the client of each certificate.
    """

    def __init__(
        self,
        runtime: Runtime,
        credentials: Credentials,
        *,
        client: UplinkClient,
        own_clients: Mapping[Certificate, UplinkClient],
    ) -> None:
        self._runtime = runtime
        self._credentials = credentials
        self._client = client
        self._own_clients = own_clients
        # for each sensor: when its statistics were sent, and its state at that time
        self._last_sent: dict[str, tuple[float, object]] = {}

    async def run(self) -> None:
        """Send statistics until cancelled."""
        while True:
            now = asyncio.get_running_loop().time()
            for bus, document in self._runtime.buses().items():
                for sensor, counts in document.get("sensors", {}).items():
                    if self._is_due(sensor, counts, now):
                        self._last_sent[sensor] = now, counts.get("state")
                        await self._send(sensor, attributes(counts, bus))
            await asyncio.sleep(LOOK_EVERY_S)

    def _is_due(self, sensor: str, counts: SensorDocument, now: float) -> bool:
        """Return whether the sensor's state has changed, or its statistics are `SEND_EVERY_S` old."""
        sent_at, state = self._last_sent.get(sensor, (-SEND_EVERY_S, None))
        return counts.get("state") != state or now - sent_at >= SEND_EVERY_S

    async def _send(self, sensor: str, statistics: Mapping[str, object]) -> None:
        """Send a sensor's attributes once; a failure is logged at DEBUG and not retried."""
        credential = self._credentials.sensors.get(sensor)
        if credential is None:
            return
        client = self._own_clients.get(credential) if isinstance(credential, Certificate) else self._client
        if client is None:
            return
        path = *telemetry_path(credential.value if isinstance(credential, Token) else None)[:-1], "attributes"
        try:
            answer = await client.post(path, _encode_fitting(statistics, client.budget(path)))
        except UplinkError as error:
            log.debug("%s: no diagnostics sent: %s", sensor, error)
        else:
            log.debug("%s: diagnostics sent: %s", sensor, answer.code)


def _encode_fitting(statistics: Mapping[str, object], budget: int) -> bytes:
    """Return as many of the attributes as one message holds, as JSON.

    The exception codes come last, the most frequent first: a device may answer with any of 255.
    """

    def rank(key: str) -> float:
        count = statistics[key]
        return -count if key.startswith(EXCEPTION) and isinstance(count, int) else -inf

    members: list[bytes] = []
    room = budget - len(b"{}")
    for key in sorted(statistics, key=rank):
        member = json.dumps({key: statistics[key]}, separators=(",", ":")).encode()[1:-1]
        if len(member) <= room:
            members.append(member)
            room -= len(member) + len(b",")
    return b"{%b}" % b",".join(members)
