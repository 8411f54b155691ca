"""`peek`: the registers of a unit are asked for as those of a sensor that has each of them as a value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bridge.commands.peek.registers import Peek, peek_of
from bridge.commands.try_.attempt import attempt_at
from bridge.config import Sensor, Site
from bridge.errors import ConfigError
from bridge.reader.attempt import Query
from protocols.modbus.registers import Table
from protocols.modbus.settings import parse_settings

_USUAL_UNITS = range(1, 248)


async def peek(
    site: Site, bus_name: str, unit: int, table: Table, addresses: range, devices: Path | None
) -> Peek:
    """Read registers of a unit.

    Raises:
        ConfigError: there is no such bus, or it does not speak Modbus.
        AlreadyRunning: another process uses the bus, and does not lend its line.
        PortLost: the port is missing, busy or failed.
        NoReply: nothing came from the unit.
    """
    if bus_name not in site.buses:
        raise ConfigError(
            [f'{site.path}: there is no bus "{bus_name}"; the buses are: {", ".join(site.buses)}']
        )
    bus = site.buses[bus_name]
    if not bus.protocol.name.startswith("modbus"):
        raise ConfigError(
            [f"bus {bus_name} speaks {bus.protocol.title}: only Modbus has registers to look at"]
        )
    keys = {
        "address": unit,
        "registers": {str(address): {table.key: address} for address in addresses},
        **({} if unit in _USUAL_UNITS else {"reserved_address": True}),
    }
    sensor = Sensor(name=f"unit {unit}", every_s=1.0, bus=bus_name, settings=parse_settings(keys))
    query = Query(
        sensor=sensor.name,
        bus=bus_name,
        protocol=bus.protocol.name,
        line=str(bus.line),
        table=keys,
        reply_timeout_s=bus.reply_timeout_s,
        retries=bus.retries,
        gap_s=bus.gap_s,
        pause_within_reply_s=bus.pause_within_reply_s,
    )
    asked_as_its_bus = replace(
        sensor,
        reply_timeout_s=bus.reply_timeout_s,
        retries=bus.retries,
        gap_s=bus.gap_s,
        pause_within_reply_s=bus.pause_within_reply_s,
    )
    answer = await attempt_at(site, bus, asked_as_its_bus, query, devices)
    return peek_of(bus_name, unit, table, answer["values"], answer["refusals"])
