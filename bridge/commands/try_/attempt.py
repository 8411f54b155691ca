"""`try`: poll one sensor once, or wait for it to push, and show its values; nothing is stored or sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from bridge import plain_text
from bridge.clock import Clock
from bridge.clock.kernel_clock import system_clock
from bridge.config import Bus, Sensor, Site
from bridge.errors import AlreadyRunning, ConfigError, NoReply, PortLost
from bridge.files import NotOurFile
from bridge.line import Line, Patience, Reply
from bridge.port import Port
from bridge.port.adapter import find_port
from bridge.reader.frame_reader import FrameReader
from bridge.reader.poll import Ask, Outcome, ask_again, poll
from bridge.spool import lock
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Event, Frame
from protocols.toolkit.polling import Device, Request, Values
from protocols.toolkit.protocol import PushingProtocol, Settings
from protocols.toolkit.pushing import Listener, PushingSettings, Telegram

HEAR_FOR_S: Final = 30.0


async def ask(site: Site, name: str, devices: Path | None) -> dict[str, Any]:
    """Poll the sensor once, or wait for it to push.

    Returns:
        Its values with units, the requests, and what it refused: the document of `try --json`.

    Raises:
        ConfigError: there is no such sensor.
        AlreadyRunning: another process reads the bus.
        PortLost: the port is missing, busy or failed.
        NoReply: nothing came from the sensor, or nothing that could be decoded.
    """
    bus, sensor = _find(site, name)
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
        try:
            protocol = bus.protocol
            if isinstance(protocol, PushingProtocol):
                return await _wait_for_push(bus, protocol, sensor, port, system_clock(site.clock.trust))
            line = Line(port, bus.line, system_clock(site.clock.trust))
            device = protocol.device([sensor.settings], bus.line)
            await line.listen(asyncio.get_running_loop().time() + bus.settle_s)
            outcome = await _poll(device, partial(_ask, line, sensor, device.address))
        finally:
            await port.close()
    if outcome.interruption is not None:
        raise outcome.interruption
    if outcome.first is None:
        raise NoReply(_silence(bus, sensor, device.address, port.path, line))
    return _answer(bus, sensor, outcome)


def text(answer: dict[str, Any]) -> str:
    """Return the answer for the person at the cabinet."""
    lines = [f"{answer['sensor']} {'answers' if answer['asked'] else 'speaks'} on bus {answer['bus']}"]
    width = max(map(len, answer["values"]), default=0)
    lines += [
        f"  {key:<{width}}  {value} {answer['units'].get(key, '')}".rstrip()
        for key, value in answer["values"].items()
    ]
    if not answer["values"]:
        lines.append("  no usable value")
    for exchange in answer["asked"]:
        result = (
            "no reply" if exchange["turn_around_ms"] is None else f"after {exchange['turn_around_ms']:.1f} ms"
        )
        lines.append(f"asked {exchange['request']}: {result}")
    lines += [f"refused: {refusal}" for refusal in answer["refusals"]]
    if answer["out_of_limits"]:
        lines.append(f"{answer['out_of_limits']} values outside their min and max were left out")
    return plain_text.lines(lines)


def _find(site: Site, name: str) -> tuple[Bus, Sensor]:
    for bus in site.buses.values():
        for sensor in bus.sensors:
            if sensor.name == name:
                return bus, sensor
    names = ", ".join(sensor.name for bus in site.buses.values() for sensor in bus.sensors)
    raise ConfigError([f'{site.path}: there is no sensor "{name}"; the sensors are: {names}'])


async def _poll(device: Device, ask_one: Ask) -> Outcome:
    """Poll a device, and once more if it kept silent and would now be asked for something else first.

    A device may be silent on one function, or on long reads; then it is there all the same.
    """
    outcome = await poll(device, ask_one)
    requests = device.planned()
    if outcome.first is not None or outcome.interruption is not None or not requests:
        return outcome
    if requests[0].data == outcome.exchanges[0][0].data:
        return outcome
    return await poll(device, ask_one)


async def _ask(line: Line, sensor: Sensor, address: str, request: Request) -> Reply | None:
    try:
        return await ask_again(
            line,
            request.with_rests(sensor.pause_within_reply_s),
            address,
            reply_timeout_s=sensor.reply_timeout_s,
            gap_s=sensor.gap_s,
            tries=[Patience.USUAL] * (1 + sensor.retries),
        )
    except NoReply:
        return None


def _answer(bus: Bus, sensor: Sensor, outcome: Outcome) -> dict[str, Any]:
    result = outcome.result
    if isinstance(result, ProtocolError):
        raise NoReply(f"{sensor.name} sent a reply that makes no sense: {result}") from result
    (values,) = result.values
    return _document(bus, sensor, values) | {
        "complete": result.complete,
        "asked": [
            {
                "request": request.summary,
                "turn_around_ms": round(1000 * reply.turn_around_s, 1) if reply else None,
            }
            for request, reply in outcome.exchanges
        ],
        "refusals": [str(refusal) for refusal in result.refusals],
        "out_of_limits": result.out_of_limits,
    }


def _document(bus: Bus, sensor: Sensor, values: Values) -> dict[str, Any]:
    """Return the document of an answer for which nothing was asked, refused or left out."""
    units = sensor.settings.units
    return {
        "sensor": sensor.name,
        "bus": bus.name,
        "values": values,
        "units": {key: units[key] for key in values if units.get(key)},
        "complete": True,
        "asked": [],
        "refusals": [],
        "out_of_limits": 0,
    }


async def _wait_for_push(
    bus: Bus, protocol: PushingProtocol[Settings], sensor: Sensor, port: Port, clock: Clock
) -> dict[str, Any]:
    """Return the document for the first telegram with values from the sensor.

    Raises:
        NoReply: none came within `HEAR_FOR_S`; the message says what came instead.
    """
    settings = sensor.settings
    assert isinstance(settings, PushingSettings)
    frames = FrameReader(port, protocol.framer(), clock, bus.line)
    listener = protocol.listener()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + HEAR_FOR_S
    other_senders: set[str] = set()
    octets = 0
    while (remaining_s := deadline - loop.time()) > 0:
        for event, _ in await frames.read(remaining_s):
            octets += len(event.data)
            for telegram in _telegrams(listener, event):
                values = settings.choose(telegram.values)
                if settings.id not in telegram.ids:
                    other_senders.add(telegram.sender)
                elif values:
                    return _document(bus, sensor, values)
    place = f"{sensor.name} on {port.path} at {bus.line}"
    if other_senders:
        raise NoReply(f"{place}: only {', '.join(sorted(other_senders))} sent something: compare its id")
    if octets:
        raise NoReply(f"{place}: something speaks, but no frame is whole: compare baud rate and parity")
    raise NoReply(
        f"{place} was not heard for {HEAR_FOR_S:.0f} s: check its power and its wiring (RX and TX?)"
    )


def _telegrams(listener: Listener, event: Event) -> Sequence[Telegram]:
    """Return the telegrams of an event; none if it is noise or cannot be decoded."""
    try:
        return listener.telegrams(event) if isinstance(event, Frame) else ()
    except ProtocolError:
        return ()


def _silence(bus: Bus, sensor: Sensor, address: str, path: str, line: Line) -> str:
    """Return one sentence: what came instead of a reply, and what to look at next."""
    place = f"{sensor.name}{f' (address {address})' if address else ''} on {path} at {bus.line}"
    if line.stations[address].crc_errors or line.stations.stray_octets:
        return (
            f"{place}: something answers, but no frame is whole: compare baud rate and parity with its "
            "manual, then look for a second device with this address and for missing termination"
        )
    if line.stations.foreign_frames:
        return f"{place}: another address answers: check the address set on the sensor"
    return (
        f"{place} does not answer: check its power, then A and B (swapped?), the address set on it, "
        "and baud rate and parity in its manual"
    )
