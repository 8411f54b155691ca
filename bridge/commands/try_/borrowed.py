"""A sensor tried on a bus in service: its reader is asked to ask, so that nothing has to be stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.config import Bus, OwnModels, Sensor, Site
from bridge.config.document import Document
from bridge.errors import PortLost
from bridge.reader.answer import Answer
from bridge.reader.attempt import Query
from bridge.reader.lending import borrow
from bridge.status.runtime import Runtime


async def borrowed_answer(site: Site, query: Query) -> Answer | None:
    """Return what the process that reads the bus of a query answers; None if no process lends its line.

    Raises:
        PortLost: there is one, and it cannot ask this; the message says why.
    """
    try:
        connection = Runtime(site.spool.path).connect(query.bus)
    except PermissionError:
        raise PortLost(f"bus {query.bus} is read by another user: run this with sudo") from None
    return None if connection is None else await borrow(connection, query)


def query_of(site: Site, bus: Bus, sensor: Sensor) -> Query:
    """Return the query for a sensor, with its protocol's keys as site.toml has them now."""
    blocks = Document.read(site.path).tables["bus"][bus.name]["sensor"]
    block = next(entry for entry in blocks if entry["name"] == sensor.name)
    table = {key: value for key, value in block.items() if key in bus.protocol.schema["properties"]}
    return Query(
        sensor=sensor.name,
        bus=bus.name,
        protocol=bus.protocol.name,
        line=str(bus.line),
        table=table,
        models=_models(site, table),
        reply_timeout_s=sensor.reply_timeout_s,
        retries=sensor.retries,
        gap_s=max(sensor.gap_s, bus.gap_s),
        pause_within_reply_s=sensor.pause_within_reply_s,
    )


def _models(site: Site, table: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the site's own model that a sensor names, by its name."""
    own_models = OwnModels(site.path).tables
    name = str(table.get("model"))
    return {name: own_models[name]} if name in own_models else {}
