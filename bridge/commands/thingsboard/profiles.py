"""Device profiles with alarm rules, in the form that ThingsBoard CE 4.x exports and imports. Pure.

A profile is made for each interval of the site's sensors, because its alarm rule says how long a sensor must
have been silent, and one for the gateway. The rules are those of profiles, which the rule node "device
profile" evaluates; ThingsBoard 4.3 calls them the old ones and goes on evaluating them.

    sensor    silent beside its gateway
    gateway   silent; a wrong token; the spool fills; the clock is not trusted; the server slows sensors
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bridge.commands.thingsboard import timing
from bridge.commands.thingsboard.ids import stable_id

GATEWAY_ACTIVE: Final = "gatewayActive"  # server attribute of a sensor's device, which the rule chain sets
ACTIVE: Final = "active"  # ThingsBoard's own

_SPOOL_FILLING, _SPOOL_EASED = 0.8, 0.7  # of its limit
_CLOCK_PATIENCE_S: Final = 600  # as `status` has it
_SLOWED_PATIENCE_S: Final = 900

Json = dict[str, Any]


def sensor_profile(name: str, interval_s: float | None) -> Json:
    """Return the profile of the sensors that post once every `interval_s`; None for those without one."""
    alarms = []
    if interval_s is not None:
        silent = [
            _attribute(ACTIVE, is_true=False),
            _attribute(GATEWAY_ACTIVE, is_true=True),
        ]
        alarms.append(
            _alarm(
                name,
                "Sensor silent",
                "MAJOR",
                _condition(silent, lasting_s=timing.grace_s(interval_s)),
                _condition([_attribute(ACTIVE, is_true=True)]),
            )
        )
    about = "their silence is no alarm, as they post on change only"
    if interval_s is not None:
        minutes = timing.alarm_s(interval_s) / 60
        about = f"one that posts nothing is an alarm after {minutes:.0f} minutes at most"
    return _profile(name, f"Sensors of serial-bridge: {about}", alarms)


def gateway_profile(name: str) -> Json:
    """Return the profile of a gateway's own device."""
    alarms = [
        _alarm(
            name,
            "Gateway silent",
            "CRITICAL",
            _condition([_attribute(ACTIVE, is_true=False)]),
            _condition([_attribute(ACTIVE, is_true=True)]),
        ),
        _alarm(
            name,
            "Wrong access token",
            "MAJOR",
            _condition([_number("wrong_tokens", "GREATER", 0)]),
            _condition([_number("wrong_tokens", "EQUAL", 0)]),
        ),
        _alarm(
            name,
            "Spool filling",
            "MAJOR",
            _condition([_number("spool_used", "GREATER_OR_EQUAL", _SPOOL_FILLING)]),
            _condition([_number("spool_used", "LESS", _SPOOL_EASED)]),
        ),
        _alarm(
            name,
            "Clock not trusted",
            "WARNING",
            _condition([_boolean("clock_trusted", is_true=False)], lasting_s=_CLOCK_PATIENCE_S),
            _condition([_boolean("clock_trusted", is_true=True)]),
        ),
        _alarm(
            name,
            "Slowed by the server",
            "WARNING",
            _condition([_number("uplink_slowed", "GREATER", 0)], lasting_s=_SLOWED_PATIENCE_S),
            _condition([_number("uplink_slowed", "EQUAL", 0)]),
        ),
    ]
    return _profile(name, "The gateway of a site, as serial-bridge reports it", alarms)


def _profile(name: str, description: str, alarms: Sequence[Json]) -> Json:
    return {
        "name": name,
        "description": description,
        "image": None,
        "type": "DEFAULT",
        "transportType": "DEFAULT",
        "provisionType": "DISABLED",
        "defaultRuleChainId": None,
        "defaultDashboardId": None,
        "defaultQueueName": None,
        "profileData": {
            "configuration": {"type": "DEFAULT"},
            "transportConfiguration": {"type": "DEFAULT"},
            "provisionConfiguration": {"type": "DISABLED", "provisionDeviceSecret": None},
            "alarms": list(alarms),
        },
        "provisionDeviceKey": None,
        "firmwareId": None,
        "softwareId": None,
        "defaultEdgeRuleChainId": None,
        "default": False,
    }


def _alarm(profile: str, kind: str, severity: str, create: Json, clear: Json) -> Json:
    return {
        "id": stable_id("alarm", profile, kind),
        "alarmType": kind,
        "createRules": {severity: _rule(create)},
        "clearRule": _rule(clear),
        "propagate": False,
        "propagateToOwner": False,
        "propagateToTenant": False,
        "propagateRelationTypes": None,
    }


def _rule(condition: Json) -> Json:
    return {"condition": condition, "schedule": None, "alarmDetails": None, "dashboardId": None}


def _condition(filters: Sequence[Json], *, lasting_s: float | None = None) -> Json:
    """Return a condition in which every filter holds, at once or for so long."""
    spec: Mapping[str, Any] = {"type": "SIMPLE"}
    if lasting_s is not None:
        spec = {"type": "DURATION", "unit": "SECONDS", "predicate": _constant(round(lasting_s))}
    return {"condition": list(filters), "spec": dict(spec)}


def _attribute(key: str, *, is_true: bool) -> Json:
    return _filter("ATTRIBUTE", key, "BOOLEAN", "EQUAL", is_true)


def _boolean(key: str, *, is_true: bool) -> Json:
    return _filter("TIME_SERIES", key, "BOOLEAN", "EQUAL", is_true)


def _number(key: str, operation: str, value: float) -> Json:
    return _filter("TIME_SERIES", key, "NUMERIC", operation, value)


def _filter(place: str, key: str, kind: str, operation: str, value: object) -> Json:
    return {
        "key": {"type": place, "key": key},
        "valueType": kind,
        "value": None,
        "predicate": {"type": kind, "operation": operation, "value": _constant(value)},
    }


def _constant(value: object) -> Json:
    return {"defaultValue": value, "userValue": None, "dynamicValue": None}
