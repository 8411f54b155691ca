"""`replace`: a broken sensor is exchanged; its name, its token and its counters go on.

    find the new one ──▶ read it once ──▶ propose ──▶ (a person agrees) ──▶ write site.toml

Whoever reads the bus meanwhile goes on with the old settings until `install`. A counter goes on
only where old and new sensor give it in the same unit, or a person says its last value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge.commands.replace.block_edit import edit_block
from bridge.commands.replace.counters import Continuation, continuations, counters
from bridge.commands.replace.last_values import LastValues
from bridge.commands.scan.result import Located
from bridge.commands.try_.attempt import attempt_at
from bridge.commands.try_.borrowed import query_of
from bridge.config import Bus, Offset, Sensor, Site
from bridge.config.document import Document
from bridge.errors import BridgeError, ConfigError, NoReply
from bridge.status.runtime import Runtime
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.polling import Values
from protocols.toolkit.protocol import Settings
from protocols.toolkit.scanning import Evidence

ADDRESS_KEYS = ("address", "id")
_QUALIFIERS = ("manufacturer", "version", "medium")  # of an M-Bus identification number
_IDENTITY_KEYS = (*ADDRESS_KEYS, *_QUALIFIERS, "model")
_SECONDARY_DIGITS = 8  # an M-Bus identification number
_THERE = (Evidence.IDENTIFIED, Evidence.ANSWERS, Evidence.REFUSES, Evidence.HEARD)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be written.

    Attributes:
        sensor: its name, which stays.
        bus: the bus of the sensor.
        old_keys, new_keys: the keys of its block that change; a key that one of them lacks is absent there.
        values: what the new sensor says.
        units: of the values.
        continuations: the counters that go on.
        begins_anew: the counters that cannot go on, because no last value is known.
    """

    sensor: str
    bus: str
    old_keys: Mapping[str, Any]
    new_keys: Mapping[str, Any]
    values: Values
    units: Mapping[str, str]
    continuations: Sequence[Continuation]
    begins_anew: Sequence[str]


def find_sensor(site: Site, name: str) -> tuple[Bus, Sensor]:
    """Return a sensor and its bus.

    Raises:
        ConfigError: there is no such sensor.
    """
    for bus in site.buses.values():
        for sensor in bus.sensors:
            if sensor.name == name:
                return bus, sensor
    names = ", ".join(site.sensors)
    raise ConfigError([f'{site.path}: there is no sensor "{name}"; the sensors are: {names}'])


def block_of(site: Site, bus: str, name: str) -> dict[str, Any]:
    """Return the block of a sensor as site.toml has it."""
    blocks = Document.read(site.path).tables["bus"][bus]["sensor"]
    return next(dict(block) for block in blocks if block["name"] == name)


def keys_for_address(bus: Bus, text: str) -> dict[str, Any]:
    """Return the keys that an address or a serial number, as a person types it, has in a sensor's block.

    Raises:
        ConfigError: the sensors of this protocol have no address.
    """
    properties = bus.protocol.schema["properties"]
    keys = [key for key in ADDRESS_KEYS if key in properties]
    if not keys:
        raise ConfigError(
            [f"{bus.protocol.title} has no addresses: who is on bus {bus.name} is it; leave --address out"]
        )
    key = keys[-1] if len(text) >= _SECONDARY_DIGITS or keys[-1] == keys[0] else keys[0]
    is_number = properties[key].get("type") == "integer" and text.lstrip("-").isdecimal()
    return {key: int(text) if is_number else text}


def candidates(site: Site, bus: Bus, name: str, finds: Sequence[Located]) -> list[Located]:
    """Return the finds of a scan that may be the new sensor: those of the bus that are no other sensor's."""
    other_addresses = {
        address
        for sensor in bus.sensors
        if sensor.name != name
        for address in _addresses(block_of(site, bus.name, sensor.name))
    }
    return [
        located
        for located in finds
        if located.find.protocol == bus.protocol.name
        and located.line == bus.line
        and located.find.evidence in _THERE
        and not {located.find.address, *_addresses(located.find.keys)} & other_addresses
    ]


def identity_keys(located: Located, block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a find that tell the new sensor from the old one, in whose block they are to stand.

    A model takes the place of another one, never of registers that a person has written.
    """
    keys = {key: value for key, value in located.find.keys.items() if key in _IDENTITY_KEYS}
    return keys if "model" in block else {key: value for key, value in keys.items() if key != "model"}


async def propose(
    site: Site,
    bus: Bus,
    sensor: Sensor,
    new_keys: Mapping[str, Any],
    last: LastValues | None,
    *,
    devices: Path | None,
    counter_keys: Collection[str] | None,
    now: datetime | None = None,
) -> Proposal:
    """Read the new sensor once and return what is to be written.

    Args:
        site, bus, sensor: as they are in site.toml now.
        new_keys: what differs in the block of the sensor.
        last: the last values of the old sensor.
        devices: as for `try`.
        counter_keys: the keys of the counters that go on; None: those that look like counters.
        now: when the new sensor takes over; None: now.

    Raises:
        ConfigError: the protocol does not take these keys, or there is no such value.
        NoReply, PortLost, AlreadyRunning: as for `try`.
    """
    block = block_of(site, bus.name, sensor.name)
    new_block = changed(block, new_keys)
    settings, values = await _read(site, bus, sensor, new_block, devices)
    as_shown = last.as_shown if last else frozenset()
    if unknown := [key for key in (*(counter_keys or ()), *as_shown) if key not in values]:
        raise ConfigError([f"{sensor.name} has no value {unknown[0]}; it has: {', '.join(values)}"])
    keys = counters(values, settings.units, counter_keys)
    keys += [key for key in sorted(as_shown) if key not in keys]
    old_units = sensor.settings.units
    alike = [key for key in keys if key in as_shown or old_units.get(key) == settings.units.get(key)]
    since = (now or datetime.now(UTC)).replace(microsecond=0)
    going_on = continuations(last.values if last else {}, values, settings.units, alike, since)
    differing_keys = [key for key in {**block, **new_block} if block.get(key) != new_block.get(key)]
    return Proposal(
        sensor=sensor.name,
        bus=bus.name,
        old_keys={key: block.get(key) for key in differing_keys},
        new_keys={key: new_block.get(key) for key in differing_keys},
        values=values,
        units=settings.units,
        continuations=going_on,
        begins_anew=[key for key in keys if key not in {entry.key for entry in going_on}],
    )


async def _read(
    site: Site, bus: Bus, sensor: Sensor, block: Mapping[str, Any], devices: Path | None
) -> tuple[Settings, Values]:
    """Read a sensor once with this block; return its settings and its values. Errors as for `propose`."""
    table = {key: value for key, value in block.items() if key in bus.protocol.schema["properties"]}
    try:
        settings: Settings = bus.protocol.settings(table)
    except SettingsError as error:
        places = [f"{'.'.join(map(str, below)) or 'the block'}: {text}" for below, text in error.problems]
        raise ConfigError(places) from None
    query = replace(query_of(site, bus, sensor), table=table)
    answer = await attempt_at(site, bus, replace(sensor, settings=settings), query, devices)
    if not answer["values"]:
        raise NoReply(f"the new {sensor.name} gave no usable value: look at it with serial-bridge try")
    return settings, answer["values"]


def changed(block: Mapping[str, Any], new_keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sensor's block with new keys.

    Beside a new address no address of the other kind is left, nor what told the old device from others.
    """
    is_other = any(key in new_keys and new_keys[key] != block.get(key) for key in ADDRESS_KEYS)
    stale_keys = {*ADDRESS_KEYS, *_QUALIFIERS} if is_other else set()
    return {key: value for key, value in block.items() if key not in stale_keys} | dict(new_keys)


def with_last(proposal: Proposal, last: LastValues | None) -> Proposal:
    """Return the proposal for other last values of the old sensor."""
    last = last or LastValues(None, {})
    since = proposal.continuations[0].offset.since
    keys = [entry.key for entry in proposal.continuations]
    return replace(
        proposal, continuations=continuations(last.values, proposal.values, proposal.units, keys, since)
    )


def nothing_new(bus: Bus, sensor: str) -> BridgeError:
    """Return the error for a scan that found no device that could be the new sensor."""
    return BridgeError(
        f"nobody answers on bus {bus.name} at {bus.line} who is not configured already: check the wiring of "
        f"the new {sensor} and its line settings, or name its address with --address"
    )


def several(candidates: Sequence[Located]) -> BridgeError:
    """Return the error for several devices that could be the new sensor, where nobody can be asked."""
    addresses = ", ".join(located.find.address for located in candidates)
    return BridgeError(f"several devices may be the new one: name its address with --address, of {addresses}")


def forget(site: Site, bus: str, sensor: str) -> None:
    """Have whoever reads the bus forget what it learned of the old sensor; do nothing if nobody does."""
    with suppress(PermissionError):
        Runtime(site.spool.path).request_forgetting(bus, sensor)


def write(path: Path, proposal: Proposal) -> None:
    """Write a proposal into site.toml. Errors as for `edit_block`."""
    offsets: dict[str, Offset | None] = dict.fromkeys(proposal.begins_anew)
    offsets |= {entry.key: entry.offset for entry in proposal.continuations}
    edit_block(path, proposal.bus, proposal.sensor, proposal.new_keys, offsets)


def _addresses(keys: Mapping[str, Any]) -> set[str]:
    return {str(keys[key]) for key in ADDRESS_KEYS if key in keys}
