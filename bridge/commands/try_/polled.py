"""One attempt at a polled sensor: it is asked, and then the line is listened to for what comes late.

poll ──▶ every request answered ──▶ listen for 0.5 s: a second reply is another device's
└────▶ one was not ──────────────▶ listen for 5 s: a reply that comes late is a slow sensor's,
which is polled once more, with more patience
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from bridge.causes import Cause, Diagnosis, Suspicion, diagnosis
from bridge.clock import Clock
from bridge.config import Bus, Sensor
from bridge.errors import NoReply
from bridge.line import LateReply, Line, Patience, Reply
from bridge.line.line import Wire
from bridge.line.reply_timeout import LONGEST_S
from bridge.line.second_reply import WATCH_S
from bridge.reader.answer import Answer, polled_answer
from bridge.reader.attempt import poll_awake
from bridge.reader.poll import Outcome, ask_again
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.polling import Device, NotAsked, Request

_LOOK_EVERY_S: Final = 0.1  # whether the late reply has come
_LONGEST_HOLD_S: Final = 10.0  # before a slow sensor is polled again


class PolledAttempt:
    """One attempt at one sensor of a bus whose port is open.

    Args:
        bus: of the sensor.
        sensor: the one to try.
        device: serves the sensor alone.
        wire: carries the octets.
        path: of the port, for people.
        clock: tells the time of a reply.
    """

    def __init__(self, bus: Bus, sensor: Sensor, device: Device, wire: Wire, path: str, clock: Clock) -> None:
        self._bus = bus
        self._sensor = sensor
        self._device = device
        self._line = Line(wire, bus.line, clock)
        self._line.stations.on_late = self._hear_late
        self._line.stations.on_second = self._hear_second
        self._place = f"{sensor.name} (address {device.address})" if device.address else sensor.name
        self._path = path
        self._suspicion = Suspicion()
        self._late_s: float | None = None  # the turn-around of a late reply; 0.0: not known
        self._second_replies = 0

    async def run(self) -> Answer:
        """Poll the sensor and return the document of `try --json`.

        Raises:
            NoReply: nothing came from it, or nothing that could be decoded; the message is one sentence.
            PortLost: from the wire.
        """
        await self._listen(self._bus.settle_s)
        outcome = await self._poll(1 + self._sensor.retries)
        if all(reply is not None for _, reply in outcome.exchanges):
            await self._listen(WATCH_S)
        else:
            await self._listen_on()
        if self._late_s is not None:
            await self._wait_until_clear()
            outcome = await self._poll(1)
        if outcome.first is None:
            raise NoReply(f"{self._place} on {self._path} at {self._bus.line} {self._sentence()}")
        return self._answer(outcome)

    async def _poll(self, tries: int) -> Outcome:
        outcome = await poll_awake(self._device, partial(self._ask, tries))
        if outcome.interruption is not None:
            raise outcome.interruption
        return outcome

    async def _ask(self, tries: int, request: Request) -> Reply | None:
        try:
            return await ask_again(
                self._line,
                request.with_rests(self._sensor.pause_within_reply_s),
                self._device.address,
                reply_timeout_s=self._sensor.reply_timeout_s,
                gap_s=self._sensor.gap_s,
                tries=[Patience.USUAL] * tries,
            )
        except NoReply as missing:
            if missing.cause is Cause.HELD:
                raise NotAsked from missing
            self._suspicion.add(missing.cause, missing.detail)
            return None

    async def _listen(self, seconds: float) -> None:
        await self._line.listen(_now() + seconds)

    async def _listen_on(self) -> None:
        """Listen for a reply that comes late, for as long as a slow device may take."""
        until = _now() + LONGEST_S
        while self._late_s is None and _now() < until:
            await self._listen(min(_LOOK_EVERY_S, until - _now()))

    async def _wait_until_clear(self) -> None:
        """Listen until no reply can be taken for that to the next request."""
        requests = self._device.planned()
        if requests:
            clear_at = self._line.stations[self._device.address].clear_at(requests[0])
            await self._line.listen(min(clear_at, _now() + _LONGEST_HOLD_S))

    def _hear_late(self, address: str, late: LateReply | None) -> None:
        """Take note of a late reply; None: which of several tries it answers is not known."""
        if address == self._device.address:
            self._late_s = max(self._late_s or 0.0, late.reply.turn_around_s if late else 0.0)

    def _hear_second(self, address: str) -> None:
        self._second_replies += address == self._device.address

    def _sentence(self) -> str:
        """Say why the sensor gave nothing."""
        if self._late_s is not None:
            return str(self._slow(self._late_s))
        if self._line.stations.other_master.is_likely(_now()):
            return str(diagnosis(Cause.OTHER_MASTER))
        return str(self._suspicion.diagnosis or diagnosis(Cause.SILENT))

    def _slow(self, turn_around_s: float) -> Diagnosis:
        after = f"after {turn_around_s:.1f} s" if turn_around_s else "after its time-out"
        return diagnosis(Cause.LATE, f"{after}, where reply_timeout says {self._sensor.reply_timeout_s:g} s")

    def _remarks(self, outcome: Outcome) -> list[str]:
        """Say what was heard beside the replies, and why a request has none."""
        remarks = []
        slowest_s = max((reply.turn_around_s for _, reply in outcome.exchanges if reply), default=0.0)
        if self._late_s is not None:
            remarks.append(str(self._slow(slowest_s or self._late_s)))
        elif self._suspicion.diagnosis is not None:
            remarks.append(self._sentence())
        if self._second_replies:
            remarks.append(str(diagnosis(Cause.TWO_DEVICES)))
        elif self._line.stations.other_master.is_likely(_now()):
            remarks.append(str(diagnosis(Cause.OTHER_MASTER)))
        return remarks

    def _answer(self, outcome: Outcome) -> Answer:
        result = outcome.result
        if isinstance(result, ProtocolError):
            raise NoReply(f"{self._place} {diagnosis(Cause.NONSENSE, str(result))}") from result
        bus, sensor = self._bus, self._sensor
        remarks = self._remarks(outcome)
        return polled_answer(sensor.name, bus.name, bus.protocol, sensor.settings, outcome, result, remarks)


def _now() -> float:
    return asyncio.get_running_loop().time()
