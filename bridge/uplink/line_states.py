"""`line_state`: what a sensor's line is like, as a client attribute of the sensor's own device.

ThingsBoard counts every post as activity of its device, so that a post about a dead sensor would make it look
alive. Therefore:

    on change    a state is sent when it differs from the last one that the server accepted
    heard only   no state is sent in which the sensor gives no sign of life: its device gets nothing, and
                 ThingsBoard's own inactivity rule is true
    not again    after a start nothing is sent before the sensor was heard anew

A state that could not be sent is no matter of the past: what holds when the server accepts it is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from bridge.status.runtime import Runtime
from bridge.status.states import UNHEARD, counts_of, sensor_state
from bridge.uplink.beside_readings import BesideReadings, Device, flat_messages

KEY: Final = "line_state"
LOOK_EVERY_S: Final = 2.0
_FROM_BAD_TO_GOOD: Final = ("failed", "refusing", "partly", "ok")


class LineStates:
    """Send the state of each sensor to its device.

    Args:
        runtime: where the processes publish their documents.
        bus_of: the bus of each sensor, by the sensor's name.
        devices: the device of each sensor that has a credential; several sensors may share one, which then
            gets the worst of their states.
        posts: what sends beside the readings.
    """

    def __init__(
        self,
        runtime: Runtime,
        bus_of: Mapping[str, str],
        devices: Mapping[str, Device],
        posts: BesideReadings,
    ) -> None:
        self._runtime = runtime
        self._bus_of = bus_of
        self._posts = posts
        self._sensors_of: dict[Device, list[str]] = {}
        for sensor, device in devices.items():
            self._sensors_of.setdefault(device, []).append(sensor)
        self._at_start: dict[str, object] = {}
        self._accepted: dict[Device, str] = {}

    async def run(self) -> None:
        """Send states until cancelled."""
        while True:
            states = self._heard_states()
            for device, sensors in self._sensors_of.items():
                state = _worst(states[sensor] for sensor in sensors if sensor in states)
                if state is not None and state != self._accepted.get(device):
                    await self._send(device, state)
            await asyncio.sleep(LOOK_EVERY_S)

    def _heard_states(self) -> dict[str, str]:
        """Return the states of the sensors that were heard since the start."""
        buses = self._runtime.buses()
        states: dict[str, str] = {}
        for sensor, bus in self._bus_of.items():
            counts = counts_of(buses, bus, sensor)
            state = sensor_state(buses.get(bus), counts)
            sign = (state, counts.get("last_ts"))
            if self._at_start.setdefault(sensor, sign) != sign:
                self._at_start[sensor] = None  # heard: every sign differs from now on
                if state not in UNHEARD:
                    states[sensor] = state
        return states

    async def _send(self, device: Device, state: str) -> None:
        budget = device.client.budget((*device.base, "attributes"))
        for _, payload in flat_messages({KEY: state}, budget):
            if await self._posts.post(device, "attributes", payload):
                self._accepted[device] = state


def _worst(states: Iterable[str]) -> str | None:
    """Return the worst of some states; None if there is none. One that is not known here is the best."""
    return min(states, key=lambda state: (*_FROM_BAD_TO_GOOD, state).index(state), default=None)
