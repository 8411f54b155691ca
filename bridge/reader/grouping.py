"""The sensors of a bus in groups: those of one address that are asked alike are polled together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.reader.group import Group
from bridge.reader.schedule import Schedule
from bridge.reader.wall_grid import Alignment
from bridge.status.line_history import SensorTimes
from protocols.toolkit.polling import Device, SharesAddress
from protocols.toolkit.protocol import PolledProtocol

if TYPE_CHECKING:
    from bridge.config import Bus, Sensor
    from bridge.line.station import Station


def groups(bus: Bus) -> list[Group]:
    """Return the sensors of a bus grouped by address, interval and settings, in the order of the file.

    Groups with one address know each other: the later ones send requests whose replies can be told apart.
    """
    protocol = bus.protocol
    assert isinstance(protocol, PolledProtocol)

    def make(sensors: list[Sensor], neighbours: Sequence[Group]) -> Device:
        device = protocol.device([sensor.settings for sensor in sensors], bus.line)
        if neighbours and isinstance(device, SharesAddress):
            device.keep_apart([neighbour.device for neighbour in neighbours])
        return device

    sensors_of: dict[tuple[object, ...], list[Sensor]] = {}
    for sensor in bus.sensors:
        timing = sensor.reply_timeout_s, sensor.retries, sensor.gap_s, sensor.pause_within_reply_s
        key = (sensor.settings.address, sensor.every_s, sensor.aligned, *timing)
        sensors_of.setdefault(key, []).append(sensor)
    ordered: list[Group] = []
    groups_of: defaultdict[object, list[Group]] = defaultdict(list)
    for (unit, *_), sensors in sensors_of.items():
        group = Group(sensors, partial(make, sensors, tuple(groups_of[unit])))
        groups_of[unit].append(group)
        ordered.append(group)
    return ordered


def schedule_of(groups: Sequence[Group], clock: Clock) -> Schedule[Group]:
    """Return the schedule of the groups; the aligned ones follow the clock that stamps their readings."""

    def ahead_s(now: float) -> float | None:
        wall_ms = clock.measured_ms(clock.now())
        return None if wall_ms is None else wall_ms / 1000 - now

    newest_s = {group: _newest_s(group, clock) for group in groups if group.aligned}
    return Schedule(
        {group: group.every_s for group in groups},
        {group: group.reply_timeout_s for group in groups},
        Alignment(newest_s, ahead_s),
    )


def times_of(
    groups: Sequence[Group], stations: Mapping[str, Station], schedule: Schedule[Group]
) -> dict[str, SensorTimes]:
    """Return the last turn-arounds and latenesses of each sensor, by its name."""
    return {
        sensor.name: SensorTimes(stations[group.address].reply_timeout.times, schedule.lateness(group))
        for group in groups
        for sensor in group.sensors
    }


def _newest_s(group: Group, clock: Clock) -> float | None:
    """Return the newest stamp of a group's sensors, in seconds since 1970; None if there is none."""
    stamps = [stamp for sensor in group.sensors if (stamp := clock.newest_ms(sensor.name)) is not None]
    return max(stamps) / 1000 if stamps else None
