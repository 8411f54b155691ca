"""The dashboards of a site and of a fleet: what they show, from top to bottom. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.commands.thingsboard.dashboard import Dashboard, data_key
from bridge.commands.thingsboard.profiles import ACTIVE, Json
from bridge.status.gateway_report import bus_key, sensor_key
from bridge.thingsboard import plain_keys
from bridge.uplink.line_states import KEY as LINE_STATE


@dataclass(frozen=True, slots=True)
class SitePicture:
    """What a dashboard shows of a site.

    Attributes:
        name: of the site.
        gateway: the name of its own device.
        bus_of: the bus of each sensor, by the sensor's name.
        device_of: the name of each sensor's device.
        units_of: for each sensor the units of its values, by key.
        profiles: the device profiles of its sensors.
    """

    name: str
    gateway: str
    bus_of: Mapping[str, str]
    device_of: Mapping[str, str]
    units_of: Mapping[str, Mapping[str, str]]
    profiles: Sequence[str]


def site_dashboard(site: SitePicture) -> Json:
    """Return the dashboard of a site: states, line quality, backlog, last values, alarms."""
    board = Dashboard(f"{site.name}: sensors and gateway")
    gateway, exactly = board.named(site.gateway)
    sensors = board.alias("Sensors", _of_profiles(site.profiles))
    board.card("States", gateway, _states(site), 10, filter_id=exactly)
    board.table(
        "Devices of the sensors",
        sensors,
        [data_key(ACTIVE, "attribute"), data_key(LINE_STATE, "attribute")],
        8,
    )
    buses = list(dict.fromkeys(site.bus_of.values()))
    shares = [bus_key(bus, word) for bus in buses for word in ("wire_share", "error_share")]
    for title, chart_keys in (
        ("Line quality: share of the wire, share of requests without a reply", shares),
        ("Backlog: readings that wait", ["spool_queued"]),
        ("Backlog: age of the oldest, in seconds", ["spool_oldest_age_s"]),
    ):
        board.chart(title, gateway, chart_keys, 7, filter_id=exactly)
    for sensor, units in site.units_of.items():
        keys = [data_key(key, "timeseries", unit) for key, unit in units.items()]
        if keys:
            alias, only_it = board.named(site.device_of[sensor])
            board.table(f"Last values of {sensor}", alias, keys, 4, filter_id=only_it)
    board.alarms(
        "Alarms", board.alias("Site", _of_profiles([*site.profiles, gateway_profile_of(site.name)])), 8
    )
    return board.document()


def gateway_profile_of(site: str) -> str:
    """Return the name of the device profile of a site's gateway."""
    return f"{site} gateway"


def fleet_dashboard() -> Json:
    """Return the dashboard of all gateways that serial-bridge reports, whatever their site."""
    board = Dashboard("serial-bridge: all gateways")
    gateways = board.alias(
        "Gateways", {"type": "entityType", "resolveMultiple": True, "entityType": "DEVICE"}
    )
    reporting = board.reporting("Gateways that report", "config_since")
    keys = [
        data_key(ACTIVE, "attribute"),
        *(data_key(key, "attribute") for key in ("site", "version", "config_hash")),
        *(
            data_key(key, "timeseries")
            for key in ("uplink_state", "sensors_heard", "sensors_silent", "wrong_tokens")
        ),
        *(
            data_key(key, "timeseries")
            for key in ("spool_queued", "spool_oldest_age_s", "spool_used", "clock_trusted")
        ),
    ]
    board.table("Gateways", gateways, keys, 12, filter_id=reporting)
    board.chart("Sensors that are silent", gateways, ["sensors_silent"], 7, filter_id=reporting)
    board.chart("Readings that wait", gateways, ["spool_queued"], 7, filter_id=reporting)
    board.alarms("Alarms of all devices", gateways, 8)
    return board.document()


def _states(site: SitePicture) -> tuple[list[Json], str]:
    """Return the keys of the card of states, and its text: a row for each bus and sensor."""
    keys: list[Json] = []
    lines = ["| | state | delivery | age | errors |", "|---|---|---|---|---|"]

    def shown(key: str) -> str:
        label = f"v{len(keys)}"  # a label may stand in a pattern, whatever the sensor is called
        (sent_key,) = plain_keys((key,))
        keys.append(data_key(sent_key, "timeseries", label=label))
        return f"${{{label}}}"

    for bus in dict.fromkeys(site.bus_of.values()):
        state, errors = shown(bus_key(bus, "state")), shown(bus_key(bus, "error_share"))
        lines.append(f"| **{_plain(bus)}** | {state} | | | {errors} |")
        for sensor in (name for name, home in site.bus_of.items() if home == bus):
            words = [
                shown(sensor_key(sensor, word)) for word in ("state", "delivery", "age_s", "error_share")
            ]
            lines.append(f"| {_plain(sensor)} | {words[0]} | {words[1]} | {words[2]} s | {words[3]} |")
    return keys, "\n".join(lines)


def _plain(text: str) -> str:
    """Return a name without what Markdown or a pattern would take for its own."""
    return "".join(f"&#{ord(char)};" if char in "|*_`<>&$[]\\" else char for char in text)


def _of_profiles(profiles: Iterable[str]) -> Json:
    return {
        "type": "deviceType",
        "resolveMultiple": True,
        "deviceTypes": list(profiles),
        "deviceNameFilter": "",
    }
