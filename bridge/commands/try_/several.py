"""`try` for several sensors: one line each, as soon as it is known, those of different buses side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.commands.try_.attempt import ask
from bridge.config import Site
from bridge.errors import BridgeError, ConfigError
from bridge.plain_text import one_line

Report = Callable[[Mapping[str, Any]], None]
MOST_VALUES = 3  # of a sensor, on its line


def chosen(site: Site, names: Sequence[str], buses: Sequence[str]) -> list[str]:
    """Return the sensors to try: those named, else those of the buses named, else all.

    Raises:
        ConfigError: there is no such sensor or bus.
    """
    if unknown_buses := [bus for bus in buses if bus not in site.buses]:
        bus_names = ", ".join(site.buses)
        raise ConfigError([f'{site.path}: there is no bus "{unknown_buses[0]}"; the buses are: {bus_names}'])
    if unknown_names := [name for name in names if name not in site.sensors]:
        sensor_names = ", ".join(site.sensors)
        raise ConfigError(
            [f'{site.path}: there is no sensor "{unknown_names[0]}"; the sensors are: {sensor_names}']
        )
    named = set(names) or {sensor.name for bus in (buses or site.buses) for sensor in site.buses[bus].sensors}
    return [name for name in site.sensors if name in named]


async def ask_all(site: Site, names: Sequence[str], devices: Path | None, report: Report) -> None:
    """Try these sensors and report the document of each as it comes; that of one that fails has `silence`."""
    by_bus: dict[str, list[str]] = {}
    for name in names:
        by_bus.setdefault(site.sensors[name].bus, []).append(name)
    async with asyncio.TaskGroup() as tasks:
        for bus, sensors in by_bus.items():
            tasks.create_task(_ask_bus(site, bus, sensors, devices, report))


async def _ask_bus(site: Site, bus: str, names: Sequence[str], devices: Path | None, report: Report) -> None:
    for name in names:
        try:
            report(await ask(site, name, devices))
        except BridgeError as error:
            report({"sensor": name, "bus": bus, "values": {}, "complete": False, "silence": str(error)})


def is_whole(answer: Mapping[str, Any]) -> bool:
    """Return whether a sensor gave all its values."""
    return bool(answer["values"]) and bool(answer["complete"]) and not answer.get("missing")


def line(answer: Mapping[str, Any], width: int) -> str:
    """Return the answer of one sensor as one line.

    Args:
        answer: its document.
        width: of the column of names.
    """
    values, units = answer["values"], answer.get("units", {})
    if answer.get("silence"):
        return one_line(f"silent      {answer['sensor']:<{width}}  {answer['silence']}")
    texts = [
        f"{key} {value} {units.get(key, '')}".rstrip() for key, value in list(values.items())[:MOST_VALUES]
    ]
    more = f", +{len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
    missing = [f"{key}: {reason}" for key, reason in answer.get("missing", {}).items()]
    sentences = [
        *missing,
        *answer.get("refusals", ()),
        *answer.get("remarks", ()),
        *answer.get("doubts", {}).values(),
    ]
    remarks = "".join(f"; {sentence}" for sentence in sentences)
    state = "ok        " if is_whole(answer) else "incomplete"
    return one_line(f"{state}  {answer['sensor']:<{width}}  {', '.join(texts) or 'no value'}{more}{remarks}")
