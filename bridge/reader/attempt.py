"""One attempt at one sensor, whatever its rhythm: what a person asks for, with all that was said on the line.

A `Query` says what to ask, as site.toml writes it; so it can be handed to the process that reads the bus, for
a sensor that this process has never heard of. It names keys of a sensor and no octets: whatever somebody
hands over, only what the protocol asks of such a sensor goes on the wire, and nothing is ever written to one.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bridge.causes import Cause, Suspicion, diagnosis
from bridge.errors import BridgeError, NoReply
from bridge.line import Reply
from bridge.reader.answer import Answer, exchanges_of, polled_answer, silent_answer
from bridge.reader.poll import Ask, Outcome, poll
from protocols.toolkit.errors import ProtocolError, SettingsError
from protocols.toolkit.polling import Device, LineSettings, NotAsked, Request
from protocols.toolkit.protocol import PolledProtocol, Protocol, Settings

LONGEST_QUERY = 256 * 1024  # octets of its text
_LONGEST_S = 60.0  # of each time in it
_MOST_RETRIES = 10


class OtherSettings(BridgeError):
    """The bus is read with other settings than those of the query, or cannot read such a sensor."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask of a sensor.

    Attributes:
        sensor, bus: their names.
        protocol, line: of the bus, as site.toml has them.
        table: the sensor's keys that belong to its protocol.
        models: the site's own models that the table names.
        reply_timeout_s, retries, gap_s, pause_within_reply_s: as in `Sensor`.
        listen_s: how long a pushing sensor is waited for.
        is_patient: never ask while there is no room on the line, however long that takes.
    """

    sensor: str
    bus: str
    protocol: str
    line: str
    table: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reply_timeout_s: float = 0.5
    retries: int = 1
    gap_s: float = 0.0
    pause_within_reply_s: float = 0.0
    listen_s: float = 30.0
    is_patient: bool = False

    def text(self) -> str:
        """Return the query as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: bytes) -> Query:
        """Read the text of a query.

        Raises:
            ValueError: it is none.
        """
        try:
            query = cls(**json.loads(text))
        except (TypeError, RecursionError) as error:
            raise ValueError(f"no query: {error}") from error
        numbers = (query.reply_timeout_s, query.gap_s, query.pause_within_reply_s, query.listen_s)
        if not all(isinstance(number, int | float) and 0 <= number <= _LONGEST_S for number in numbers):
            raise ValueError("no query: a time is out of range")
        if not isinstance(query.retries, int) or not 0 <= query.retries <= _MOST_RETRIES:
            raise ValueError("no query: retries is out of range")
        return query

    def settings(self, entry: Protocol, line: LineSettings) -> Settings:
        """Return the settings of the sensor on a bus with this protocol and line.

        Raises:
            OtherSettings: the query is for another protocol or line, or its table has a mistake.
        """
        if (self.protocol, self.line) != (entry.name, str(line)):
            raise OtherSettings(
                f"bus {self.bus} is in service as {entry.name} at {line}, and site.toml has {self.protocol} "
                f"at {self.line}: put the edit in force first, with: sudo serial-bridge install"
            )
        try:
            extended = entry.models.extended if entry.models and self.models else None
            return (extended(self.models) if extended else entry).settings(self.table)
        except SettingsError as error:
            raise OtherSettings(f"{self.sensor} cannot be asked: {error}") from error


AskOnce = Callable[[Request, str], Awaitable[Reply | None]]
"""Sends a request to an address, with its retries; raises NoReply."""


async def attempt(
    query: Query, protocol: PolledProtocol[Settings], line: LineSettings, ask: AskOnce
) -> Answer:
    """Poll the sensor of a query once.

    Args:
        query: what to ask.
        protocol: that of the bus.
        line: the line settings of the bus.
        ask: sends its requests.

    Raises:
        OtherSettings: the bus cannot read such a sensor.
        PortLost: from `ask`.
    """
    settings = query.settings(protocol, line)
    device = protocol.device([settings], line)
    suspicion = Suspicion()

    async def ask_one(request: Request) -> Reply | None:
        try:
            return await ask(request.with_rests(query.pause_within_reply_s), device.address)
        except NoReply as missing:
            if missing.cause is Cause.HELD:
                raise NotAsked from missing
            suspicion.add(missing.cause, missing.detail)
            return None

    outcome = await poll_awake(device, ask_one)
    if outcome.interruption is not None:
        raise outcome.interruption
    return _answer(query, protocol, settings, outcome, suspicion)


async def poll_awake(device: Device, ask: Ask) -> Outcome:
    """Poll a device, and once more if it kept silent and would now be asked for something else first.

    A device may be silent on one function, or on long reads; then it is there all the same. Arguments as for
    `poll`.
    """
    outcome = await poll(device, ask)
    requests = device.planned()
    if outcome.first is not None or outcome.interruption is not None or not requests:
        return outcome
    if not outcome.exchanges or requests[0].data == outcome.exchanges[0][0].data:
        return outcome
    return await poll(device, ask)


def _answer(
    query: Query,
    protocol: PolledProtocol[Settings],
    settings: Settings,
    outcome: Outcome,
    suspicion: Suspicion,
) -> Answer:
    asked = exchanges_of(outcome)
    if outcome.first is None:
        place = f"{query.sensor}{f' (address {settings.address})' if settings.address else ''}"
        reason = suspicion.diagnosis or diagnosis(Cause.SILENT)
        silence = f"{place} on bus {query.bus} at {query.line} {reason}"
        return silent_answer(query.sensor, query.bus, silence, asked)
    result = outcome.result
    if isinstance(result, ProtocolError):
        nonsense = f"{query.sensor} {diagnosis(Cause.NONSENSE, str(result))}"
        return silent_answer(query.sensor, query.bus, nonsense, asked)
    remarks = [str(suspicion.diagnosis)] if suspicion.diagnosis else []
    return polled_answer(query.sensor, query.bus, protocol, settings, outcome, result, remarks)
