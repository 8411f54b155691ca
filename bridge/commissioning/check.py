"""`check`: both files are right; what would run, sensor by sensor. Opens no port and no connection."""

from __future__ import annotations

from typing import Any

from bridge.config import Bus, Certificate, Credentials, Site
from bridge.group import groups


def summary(site: Site, credentials: Credentials) -> dict[str, Any]:
    """What the two files say, as data: buses with their devices, requests and wire time, and warnings."""
    return {
        "site": site.name,
        "thingsboard": site.thingsboard.url,
        "spool": str(site.spool.path),
        "buses": {name: _bus(bus, credentials) for name, bus in site.buses.items()},
        "warnings": [*site.warnings, *credentials.warnings],
    }


def text(found: dict[str, Any]) -> str:
    """The summary for the person at the cabinet."""
    lines = [f"site {found['site']}: delivers to {found['thingsboard']}, keeps readings in {found['spool']}"]
    for name, bus in found["buses"].items():
        lines.append(f"bus {name}: {bus['protocol']} at {bus['line']} on {bus['adapter']}")
        for sensor, row in bus["sensors"].items():
            lines.append(
                f"  {sensor:<20} address {row['address']}, every {row['every_s']:g} s, "
                f"{row['requests']} request{'s' if row['requests'] != 1 else ''} "
                f"({1000 * row['wire_s']:.0f} ms of wire), {row['credential']}"
            )
    lines += [f"warning: {warning}" for warning in found["warnings"]]
    lines.append("ok")
    return "\n".join(lines)


def _bus(bus: Bus, credentials: Credentials) -> dict[str, Any]:
    sensors = {}
    for group in groups(bus):
        requests = group.device.planned()
        wire_s = sum(bus.line.duration_s(len(ask.data) + ask.reply_length) for ask in requests)
        for sensor in group.sensors:
            sensors[sensor.name] = {
                "address": group.address,
                "every_s": sensor.every_s,
                "requests": len(requests),
                "wire_s": wire_s,
                "credential": _credential(credentials, sensor.name),
            }
    return {
        "adapter": bus.adapter,
        "protocol": bus.protocol.name,
        "line": str(bus.line),
        "sensors": sensors,
    }


def _credential(credentials: Credentials, sensor: str) -> str:
    match credentials.sensors.get(sensor):
        case None:
            return "no credential: its readings will wait"
        case Certificate():
            return "X.509 certificate"
        case _:
            return "access token"
