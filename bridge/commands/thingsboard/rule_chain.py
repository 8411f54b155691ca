"""The rule chain of a site, in the form that ThingsBoard CE 4.x exports and imports. Pure.

    any message ─▶ device profile ─▶ type switch ─┬─ telemetry ───────────▶ save time series
                                                  ├─ attributes ──────────▶ save client attributes
                                                  └─ attributes, activity,
                                                     inactivity ─▶ is it the gateway? ─▶ one message for each
                                                     device ─▶ in that device's name ─▶ save server attributes

The profile's rules see one device alone. So the gateway's coming and going is written to its sensors, as the
server attribute `gatewayActive`, with which their own rule asks whether it may raise an alarm at all. With it
goes `inactivityTimeout`, ThingsBoard's own attribute that says after which silence a device is inactive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from bridge.commands.thingsboard.profiles import GATEWAY_ACTIVE, Json

INACTIVITY_TIMEOUT: Final = "inactivityTimeout"  # ms; DefaultDeviceStateService
_DEVICE: Final = "device"  # in a message's metadata: whose it is to be
_ENGINE: Final = "org.thingsboard.rule.engine."
_ON_EVERY_MESSAGE: Final = {"type": "ON_EVERY_MESSAGE"}

_PROFILE, _SWITCH, _TIME_SERIES, _ATTRIBUTES, _IS_GATEWAY, _EACH, _IN_ITS_NAME, _SERVER = range(8)


def rule_chain(name: str, gateway: str, timeouts_s: Mapping[str, float]) -> Json:
    """Return the chain.

    Args:
        name: of the chain.
        gateway: the name of the gateway's device.
        timeouts_s: for each device of the site, the gateway's among them, after which silence it is inactive,
            in seconds.
    """
    nodes = [
        _node(
            "profile.TbDeviceProfileNode",
            "Alarm rules of the profile",
            (200, 200),
            {"persistAlarmRulesState": True, "fetchAlarmRulesStateOnStart": True},
        ),
        _node("filter.TbMsgTypeSwitchNode", "Message type", (450, 200), {"version": 0}),
        _node(
            "telemetry.TbMsgTimeseriesNode",
            "Save readings",
            (750, 100),
            {"processingSettings": _ON_EVERY_MESSAGE, "defaultTTL": 0, "useServerTs": False},
            version=1,
        ),
        _node(
            "telemetry.TbMsgAttributesNode",
            "Save client attributes",
            (750, 200),
            _attributes("CLIENT_SCOPE", is_told=False),
            version=3,
        ),
        _node(
            "filter.TbJsFilterNode",
            "Is it the gateway?",
            (750, 320),
            _script(f"return metadata.deviceName == {_quoted(gateway)};"),
        ),
        _node("transform.TbTransformMsgNode", "One for each device", (1000, 320), _script(_each(timeouts_s))),
        _node(
            "transform.TbChangeOriginatorNode",
            "In its name",
            (1250, 320),
            {
                "originatorSource": "ENTITY",
                "entityType": "DEVICE",
                "entityNamePattern": f"${{{_DEVICE}}}",
                "relationsQuery": {
                    "direction": "FROM",
                    "maxLevel": 1,
                    "filters": [{"relationType": "Contains", "entityTypes": []}],
                    "fetchLastLevelOnly": False,
                },
            },
        ),
        _node(
            "telemetry.TbMsgAttributesNode",
            "Save server attributes",
            (1500, 320),
            _attributes("SERVER_SCOPE", is_told=True),
            version=3,
        ),
    ]
    connections = [
        (_PROFILE, _SWITCH, "Success"),
        (_SWITCH, _TIME_SERIES, "Post telemetry"),
        (_SWITCH, _ATTRIBUTES, "Post attributes"),
        *((_SWITCH, _IS_GATEWAY, kind) for kind in ("Post attributes", "Activity Event", "Inactivity Event")),
        (_IS_GATEWAY, _EACH, "True"),
        (_EACH, _IN_ITS_NAME, "Success"),
        (_IN_ITS_NAME, _SERVER, "Success"),
    ]
    return {
        "ruleChain": {
            "additionalInfo": {
                "description": "Saves what a site's devices post, and tells its sensors of the gateway"
            },
            "name": name,
            "type": "CORE",
            "firstRuleNodeId": None,
            "root": False,
            "debugMode": False,
            "configuration": None,
        },
        "metadata": {
            "firstNodeIndex": _PROFILE,
            "nodes": nodes,
            "connections": [
                {"fromIndex": begin, "toIndex": end, "type": kind} for begin, end, kind in connections
            ],
            "ruleChainConnections": None,
        },
    }


def _each(timeouts_s: Mapping[str, float]) -> str:
    """Return the script, in TBEL and in JavaScript alike, that makes a message for each device."""
    messages = []
    for device, timeout_s in timeouts_s.items():
        attributes = {INACTIVITY_TIMEOUT: round(timeout_s * 1000)}
        text = json.dumps(attributes)[1:-1]
        messages.append(
            f'  {{"msg": {{"{GATEWAY_ACTIVE}": isActive, {text}}}, '
            f'"metadata": {{"{_DEVICE}": {_quoted(device)}}}, "msgType": "POST_ATTRIBUTES_REQUEST"}}'
        )
    return 'var isActive = msgType != "INACTIVITY_EVENT";\nreturn [\n' + ",\n".join(messages) + "\n];"


def _quoted(text: str) -> str:
    """Return a text as both script languages quote it."""
    return json.dumps(text)


def _script(text: str) -> Json:
    return {"scriptLang": "TBEL", "jsScript": text, "tbelScript": text}


def _attributes(scope: str, *, is_told: bool) -> Json:
    return {
        "processingSettings": _ON_EVERY_MESSAGE,
        "scope": scope,
        "notifyDevice": False,
        "sendAttributesUpdatedNotification": is_told,
        "updateAttributesOnlyOnValueChange": True,
    }


def _node(
    kind: str, name: str, place: tuple[int, int], configuration: Mapping[str, Any], *, version: int = 0
) -> Json:
    return {
        "type": _ENGINE + kind,
        "name": name,
        "debugSettings": None,
        "singletonMode": False,
        "queueName": None,
        "configurationVersion": version,
        "configuration": dict(configuration),
        "additionalInfo": {"description": "", "layoutX": place[0], "layoutY": place[1]},
    }
