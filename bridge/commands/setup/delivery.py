"""The live values of a sensor, sent to the server once, and what it answered in plain words.

They go past the spool and its ledger: nothing is installed yet, and the person wants to see them arrive.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.clock.kernel_clock import system_clock
from bridge.coap import Client
from bridge.config import Credentials, Site, Token
from bridge.errors import UplinkError
from bridge.spool import Row
from bridge.status.runtime import Runtime
from bridge.thingsboard import SentMessage, decide, encode_values, pack, telemetry_path
from bridge.uplink import connect
from protocols.toolkit.polling import Values

DEADLINE_S = 10.0
_MOST_POINTS = 20  # in a message: the smallest bucket that is usual for ThingsBoard's rate limit


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one sensor's values.

    Attributes:
        sensor: its name.
        is_accepted: the server took all of them.
        sentence: what the server answered, or why nothing was sent.
    """

    sensor: str
    is_accepted: bool
    sentence: str


async def deliver(site: Site, credentials: Credentials, values: Mapping[str, Values]) -> list[Delivered]:
    """Send the values of sensors to the server, each with its own token.

    Args:
        site: as in site.toml.
        credentials: as in credentials.toml.
        values: by the name of the sensor.
    """
    client, _ = connect(site.thingsboard, lanes=1)
    results = []
    async with client:
        for name, own_values in values.items():
            credential = credentials.sensors.get(name)
            if isinstance(credential, Token):
                results.append(await _sent(client, site, name, credential.value, own_values))
            else:
                reason = (
                    "it has no token yet: its readings will wait"
                    if credential is None
                    else "it has a certificate"
                )
                results.append(Delivered(name, is_accepted=credential is not None, sentence=reason))
    return results


async def _sent(client: Client, site: Site, name: str, token: str, values: Values) -> Delivered:
    clock = system_clock(site.clock.trust, Runtime(site.spool.path))
    known_ms = clock.measured_ms(clock.now())
    body, points = encode_values(values)
    if not points:
        return Delivered(name, is_accepted=False, sentence="it gave no value that ThingsBoard can store")
    row: Row | None = Row(0, name, known_ms or time.time_ns() // 1_000_000, points, body)
    path, answer = telemetry_path(token), ""
    while row is not None:
        batch = pack([row], client.budget(path), _MOST_POINTS, timed=known_ms is not None)
        try:
            response = await client.post(path, batch.payload, deadline_s=DEADLINE_S)
        except UplinkError as error:
            return Delivered(
                name, is_accepted=False, sentence=decide(error, SentMessage()).reason or str(error)
            )
        answer = str(response.code)
        if not response.code.is_success:
            return Delivered(name, is_accepted=False, sentence=decide(response.code, SentMessage()).reason)
        row = batch.rest
    values_text = "1 value" if points == 1 else f"{points} values"
    return Delivered(name, is_accepted=True, sentence=f"ThingsBoard took {values_text} ({answer})")
