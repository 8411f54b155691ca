"""`try`: poll one sensor once, or wait for it to push, and show its values; nothing is stored or sent."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bridge.clock.kernel_clock import system_clock
from bridge.commands.try_.borrowed import borrowed_answer, query_of
from bridge.commands.try_.polled import PolledAttempt
from bridge.commands.try_.pushed import wait_for_push
from bridge.config import Bus, Sensor, Site
from bridge.errors import AlreadyRunning, ConfigError, NoReply, PortLost
from bridge.files import NotOurFile
from bridge.port import Port
from bridge.port.adapter import find_port
from bridge.reader.answer import Answer
from bridge.reader.attempt import Query
from bridge.reader.offsets import continued, since_text
from bridge.spool import lock
from protocols.toolkit.protocol import PushingProtocol


async def ask(site: Site, name: str, devices: Path | None) -> dict[str, Any]:
    """Poll the sensor once, or wait for it to push.

    Returns:
        Its values with units, the requests, and what it refused: the document of `try --json`.

    Raises:
        ConfigError: there is no such sensor.
        AlreadyRunning: another process uses the bus, and does not lend its line.
        PortLost: the port is missing, busy or failed.
        NoReply: nothing came from the sensor, or nothing that could be decoded.
    """
    bus, sensor = _find(site, name)
    query = query_of(site, bus, sensor)
    answer = await attempt_at(site, bus, sensor, query, devices)
    return with_evidence(with_offsets(answer, sensor), bus, query)


async def attempt_at(site: Site, bus: Bus, sensor: Sensor, query: Query, devices: Path | None) -> Answer:
    """Poll a sensor of a bus, in site.toml or not; its values are as the device says them, without offsets.

    Returns and raises as `ask`; `query` asks for the same.
    """
    if bus.listen:
        raise ConfigError(
            [
                f"bus {bus.name} only listens (listen = true), so nothing is asked on it: "
                f"`serial-bridge status` shows what its master reads of {sensor.name}"
            ]
        )
    answer = await borrowed_answer(site, query)
    if answer is not None:
        if answer["silence"]:
            raise NoReply(answer["silence"])
        return answer
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(site.spool.path, f"bus-{bus.name}"))
        except AlreadyRunning as running:
            raise AlreadyRunning(f"{running}: `serial-bridge status` shows its values") from None
        except NotOurFile:
            raise
        except OSError:  # no spool yet, or it is out of reach: the port's own lock still protects the bus
            pass
        port = Port()
        try:
            await port.open(find_port(bus, devices), bus.line, bus.rs485)
        except PortLost as lost:
            raise PortLost(f"bus {bus.name}: {lost}") from lost
        clock = system_clock(site.clock.trust)
        try:
            if isinstance(bus.protocol, PushingProtocol):
                return await wait_for_push(bus, bus.protocol, sensor, port, clock)
            device = bus.protocol.device([sensor.settings], bus.line)
            return await PolledAttempt(bus, sensor, device, port, port.path, clock).run()
        finally:
            await port.close()


def with_offsets(answer: Answer, sensor: Sensor) -> Answer:
    """Return the document of an attempt with the sensor's offsets added, and a remark for each."""
    values = answer["values"]
    remarks = [
        f"said {values[key]} as {key}; {offset.add} is added to it {since_text(offset)}"
        for key, offset in sensor.offsets.items()
        if key in values
    ]
    return {
        **answer,
        "values": continued(values, sensor.offsets),
        "remarks": [*answer["remarks"], *remarks],
    }


def with_evidence(answer: Answer, bus: Bus, query: Query) -> dict[str, Any]:
    """Return the document of an attempt with how good the numbers of the sensor's model are, or None."""
    name, models = query.table.get("model"), bus.protocol.models
    evidence = models.evidence(name) if models and isinstance(name, str) else ""
    return {**answer, "model": {"name": name, "evidence": evidence} if evidence else None}


def _find(site: Site, name: str) -> tuple[Bus, Sensor]:
    for bus in site.buses.values():
        for sensor in bus.sensors:
            if sensor.name == name:
                return bus, sensor
    names = ", ".join(sensor.name for bus in site.buses.values() for sensor in bus.sensors)
    raise ConfigError([f'{site.path}: there is no sensor "{name}"; the sensors are: {names}'])
