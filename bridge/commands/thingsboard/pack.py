"""`thingsboard pack`: the files for one site, made from site.toml, and what to do with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.commands.thingsboard import timing
from bridge.commands.thingsboard.dashboards import (
    SitePicture,
    fleet_dashboard,
    gateway_profile_of,
    site_dashboard,
)
from bridge.commands.thingsboard.profiles import Json, gateway_profile, sensor_profile
from bridge.commands.thingsboard.rule_chain import rule_chain
from bridge.config import Sensor, Site
from bridge.errors import ConfigError
from bridge.files import write_whole
from bridge.thingsboard import plain_keys

FLEET: Final = "dashboard-fleet.json"


@dataclass(frozen=True, slots=True)
class Pack:
    """The files of a site, and what a person has to know of them.

    Attributes:
        files: the documents, by file name, in the order of import.
        profiles: the profile of each device of the site, by the device's name.
        notes: sentences, each with the next step.
    """

    files: Mapping[str, Json]
    profiles: Mapping[str, str]
    notes: tuple[str, ...]


def pack(site: Site, prefix: str = "") -> Pack:
    """Return the pack of a site.

    Args:
        site: from site.toml.
        prefix: what the devices' names in ThingsBoard begin with, as for `provision`.
    """
    gateway = prefix + (site.thingsboard.gateway or f"{site.name}-gateway")
    intervals = {name: timing.interval_s(sensor) for name, sensor in site.sensors.items()}
    profile_of = {prefix + name: _profile_name(site.name, intervals[name]) for name in site.sensors}
    timeouts_s = {gateway: timing.GATEWAY_INACTIVITY_S} | {
        prefix + name: timing.inactivity_s(interval_s)
        for name, interval_s in intervals.items()
        if interval_s is not None
    }
    files: dict[str, Json] = {
        "rule-chain.json": rule_chain(f"{site.name} devices", gateway, timeouts_s),
        "profile-gateway.json": gateway_profile(gateway_profile_of(site.name)),
    }
    for interval_s in dict.fromkeys(intervals.values()):
        name = _profile_name(site.name, interval_s)
        files[f"profile-sensor-{_interval_word(interval_s)}.json"] = sensor_profile(name, interval_s)
    picture = SitePicture(
        name=site.name,
        gateway=gateway,
        bus_of={sensor.name: sensor.bus for sensor in site.sensors.values()},
        device_of={name: prefix + name for name in site.sensors},
        units_of={name: _units(sensor) for name, sensor in site.sensors.items()},
        profiles=list(dict.fromkeys(profile_of.values())),
    )
    files["dashboard-site.json"] = site_dashboard(picture)
    files[FLEET] = fleet_dashboard()
    profiles = {gateway: gateway_profile_of(site.name), **profile_of}
    return Pack(files, profiles, tuple(_notes(site, intervals)))


def write(files: Mapping[str, Json], folder: Path) -> None:
    """Write the files into a folder, which is made if missing.

    Raises:
        ConfigError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in files.items():
            text = json.dumps(document, ensure_ascii=False, indent=2)
            write_whole(folder / name, f"{text}\n".encode())
    except OSError as error:
        raise ConfigError(
            [f"{folder} cannot be written ({error.strerror}): name another with --out"]
        ) from None


def text(made: Pack, folder: Path) -> Iterator[str]:
    """Yield what was written, line by line, and what to do with it, in order."""
    yield f"{folder}: {len(made.files)} files for ThingsBoard CE 4.x"
    yield "1. Rule chains, + Import: rule-chain.json; open it and save it"
    yield "2. Device profiles, + Import: profile-*.json; in each, choose that rule chain as the default"
    yield "3. Devices: give each its profile:"
    width = max(map(len, made.profiles))
    yield from (f"     {device:<{width}}  {profile}" for device, profile in made.profiles.items())
    yield "4. Dashboards, + Import: dashboard-site.json, and dashboard-fleet.json once for all sites"
    yield from made.notes


def _notes(site: Site, intervals: Mapping[str, float | None]) -> Iterator[str]:
    if site.thingsboard.gateway is None:
        yield (
            f"note: {site.path} names no device for the gateway, and all alarms need one: write "
            f'gateway = "{site.name}-gateway" below [thingsboard], then: serial-bridge provision'
        )
    for name, interval_s in intervals.items():
        if interval_s is None:
            yield f'note: {name} posts on change only, so its silence is no alarm: give it at_least = "10m"'


def _profile_name(site: str, interval_s: float | None) -> str:
    return f"{site} sensor, {'on change' if interval_s is None else 'every ' + _interval_word(interval_s)}"


def _interval_word(interval_s: float | None) -> str:
    """Return an interval as one word, for names: 10s, 15m, 1h."""
    if interval_s is None:
        return "on-change"
    for seconds, unit in ((3600, "h"), (60, "m")):
        if interval_s and interval_s % seconds == 0:
            return f"{interval_s / seconds:g}{unit}"
    return f"{interval_s:g}s"


def _units(sensor: Sensor) -> dict[str, str]:
    """Return the units of a sensor's values, by the keys under which they are sent."""
    units = sensor.settings.units
    return dict(zip(plain_keys(tuple(units)), units.values(), strict=True))
