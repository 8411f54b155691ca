"""The pack for ThingsBoard: files of the genuine form, and no key in them that nobody sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.commands.thingsboard import timing
from bridge.commands.thingsboard.pack import Pack, pack, write
from bridge.config import Site, load_site
from bridge.status import gateway_report
from bridge.thingsboard import encode_values
from bridge.uplink.line_states import KEY as LINE_STATE
from tests.support.pages import BLOCKS, ROOT
from tests.support.site import site_head

OF_THINGSBOARD = {"active"}  # server attributes that its device state service writes
OF_ALARMS = {"createdTime", "originator", "type", "severity", "status"}
OF_PROFILE = {
    *("name", "description", "image", "type", "transportType", "provisionType", "defaultRuleChainId"),
    *("defaultDashboardId", "defaultQueueName", "profileData", "provisionDeviceKey", "firmwareId"),
    *("softwareId", "defaultEdgeRuleChainId", "default"),
}
OF_ALARM_RULE = {
    *("id", "alarmType", "createRules", "clearRule", "propagate", "propagateToOwner", "propagateToTenant"),
    "propagateRelationTypes",
}
OF_RULE_CHAIN = {"additionalInfo", "name", "type", "firstRuleNodeId", "root", "debugMode", "configuration"}
OF_NODE = {
    *("type", "name", "debugSettings", "singletonMode", "queueName", "configurationVersion"),
    *("configuration", "additionalInfo"),
}
OF_WIDGET = {"typeFullFqn", "type", "sizeX", "sizeY", "config", "id"}
KINDS_OF_WIDGETS = {
    "system.cards.markdown_card": "latest",
    "system.cards.entities_table": "latest",
    "system.time_series_chart": "timeseries",
    "system.alarm_widgets.alarms_table": "alarm",
}
NODES = {  # and the version of each one's configuration in 4.x
    "profile.TbDeviceProfileNode": 0,
    "filter.TbMsgTypeSwitchNode": 0,
    "filter.TbJsFilterNode": 0,
    "telemetry.TbMsgTimeseriesNode": 1,
    "telemetry.TbMsgAttributesNode": 3,
    "transform.TbTransformMsgNode": 0,
    "transform.TbChangeOriginatorNode": 0,
}
OUTPUTS = {"Success", "True", "Post telemetry", "Post attributes", "Activity Event", "Inactivity Event"}

ODD_NAMES = [
    'a|b & "c" <d> ${e}',
    "{{tank}}",
    "Zähler_1",
    "main-meter",
    "ts",
]


def readme_site(folder: Path) -> Site:
    path = folder / "site.toml"
    path.write_text(BLOCKS[0])
    return load_site(path)


def odd_site(folder: Path) -> Site:
    """A site whose sensors are called in ways that Markdown, scripts or ThingsBoard could take amiss."""
    path = folder / "site.toml"
    keys = {"interval": 'every = "15m"', "change": 'every = "10s"\npublish = "change"'}
    keys["at_least"] = keys["change"] + '\nat_least = "1h"'
    rhythms = list(keys.values())
    blocks = "".join(
        f"[[bus.meters.sensor]]\nname = {json.dumps(name)}\naddress = {number}\n{rhythms[number % 3]}\n"
        f"[bus.meters.sensor.registers]\nts = {{ holding = 0 }}\nvalues = {{ holding = 1 }}\n"
        for number, name in enumerate(ODD_NAMES, 1)
    )
    path.write_text(
        site_head(site="hall 7").replace('127.0.0.1"', '127.0.0.1"\ngateway = "gate \\"7\\""') + blocks
    )
    return load_site(path)


@pytest.fixture(params=[readme_site, odd_site])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    loaded: Site = request.param(tmp_path)
    return loaded


@pytest.fixture
def made(site: Site) -> Pack:
    return pack(site)


def walked(document: Any, name: str) -> Iterator[Any]:
    """Yield every value of that name, however deep."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == name:
                yield value
            yield from walked(value, name)
    elif isinstance(document, list):
        for value in document:
            yield from walked(value, name)


def sent_keys(site: Site) -> set[str]:
    """Return every key that the bridge sends: of readings, of line states and of the gateway's own device."""
    buses = {sensor.name: sensor.bus for sensor in site.sensors.values()}
    names = {LINE_STATE, *gateway_report.all_keys(buses)}
    for sensor in site.sensors.values():
        names |= set(sensor.settings.units)
    return set(map(as_sent, names))


def as_sent(key: str) -> str:
    """Return a key as it stands in a message."""
    ((sent_key, _),) = json.loads(encode_values({key: 0})[0]).items()
    return str(sent_key)


def profiles(made: Pack) -> list[Any]:
    return [document for name, document in made.files.items() if name.startswith("profile-")]


def dashboards(made: Pack) -> list[Any]:
    return [document for name, document in made.files.items() if name.startswith("dashboard-")]


def test_every_key_of_a_dashboard_is_sent(site: Site, made: Pack) -> None:
    known = sent_keys(site) | OF_THINGSBOARD
    shown: set[str] = set()
    for board in dashboards(made):
        for keys in walked(board, "dataKeys"):
            for key in keys:
                shown.add(key["name"])
                assert key["name"] in (OF_ALARMS if key["type"] == "alarm" else known), key["name"]
        for filters in walked(board, "keyFilters"):
            assert {each["key"]["key"] for each in filters} <= known | {"name"}
    assert {"spool_queued", LINE_STATE, "sensors_silent"} <= shown
    for sensor in site.sensors:
        words = gateway_report.OF_SENSOR
        assert {as_sent(gateway_report.sensor_key(sensor, word)) for word in words} <= shown


def test_every_key_of_an_alarm_rule_is_sent_or_written_by_the_rule_chain(site: Site, made: Pack) -> None:
    script = made.files["rule-chain.json"]["metadata"]["nodes"][5]["configuration"]["tbelScript"]
    known = sent_keys(site) | OF_THINGSBOARD | {"gatewayActive"}
    assert '"gatewayActive": isActive' in script
    places = set()
    for profile in profiles(made):
        for alarm in profile["profileData"]["alarms"]:
            for key in walked(alarm, "key"):
                if isinstance(key, dict):
                    places.add((key["type"], key["key"]))
                    assert key["key"] in known
    assert ("TIME_SERIES", "wrong_tokens") in places
    assert all((kind == "ATTRIBUTE") == (key in {"active", "gatewayActive"}) for kind, key in places)


def test_profiles_have_the_form_of_an_export(made: Pack) -> None:
    for profile in profiles(made):
        assert set(profile) == OF_PROFILE
        data = profile["profileData"]
        assert set(data) == {"configuration", "transportConfiguration", "provisionConfiguration", "alarms"}
        ids = [alarm["id"] for alarm in data["alarms"]]
        assert len(set(ids)) == len(ids)
        for alarm in data["alarms"]:
            assert set(alarm) == OF_ALARM_RULE
            ((severity, create),) = alarm["createRules"].items()
            assert severity in {"CRITICAL", "MAJOR", "MINOR", "WARNING", "INDETERMINATE"}
            for rule in (create, alarm["clearRule"]):
                assert set(rule) == {"condition", "schedule", "alarmDetails", "dashboardId"}
                assert set(rule["condition"]) == {"condition", "spec"}
                assert rule["condition"]["spec"]["type"] in {"SIMPLE", "DURATION"}
                for each in rule["condition"]["condition"]:
                    assert set(each) == {"key", "valueType", "value", "predicate"}
                    assert each["predicate"]["type"] == each["valueType"]
                    assert set(each["predicate"]["value"]) == {"defaultValue", "userValue", "dynamicValue"}


def test_the_rule_chain_has_the_form_of_an_export_and_leads_on(made: Pack) -> None:
    chain = made.files["rule-chain.json"]
    assert set(chain["ruleChain"]) == OF_RULE_CHAIN
    metadata = chain["metadata"]
    assert set(metadata) == {"firstNodeIndex", "nodes", "connections", "ruleChainConnections"}
    for node in metadata["nodes"]:
        assert set(node) == OF_NODE
        assert (
            NODES[node["type"].removeprefix("org.thingsboard.rule.engine.")] == node["configurationVersion"]
        )
    reached = {metadata["firstNodeIndex"]}
    for connection in metadata["connections"]:
        assert connection["type"] in OUTPUTS
        assert connection["fromIndex"] in reached
        reached.add(connection["toIndex"])
    assert reached == set(range(len(metadata["nodes"])))


def test_the_rule_chain_tells_every_device_its_inactivity_time(site: Site, made: Pack) -> None:
    nodes = made.files["rule-chain.json"]["metadata"]["nodes"]
    script = nodes[5]["configuration"]["tbelScript"]
    first, _, rest = script.partition("return ")
    assert first == 'var isActive = msgType != "INACTIVITY_EVENT";\n'
    messages = json.loads(rest.replace("isActive", "true").rstrip(";"))
    timeouts = {each["metadata"]["device"]: each["msg"]["inactivityTimeout"] for each in messages}
    gateway = site.thingsboard.gateway or "barn-7-gateway"
    expected = {gateway: 300_000}
    for name, sensor in site.sensors.items():
        if (interval_s := timing.interval_s(sensor)) is not None:
            expected[name] = timing.inactivity_s(interval_s) * 1000
    assert timeouts == expected
    assert nodes[4]["configuration"]["tbelScript"] == f"return metadata.deviceName == {json.dumps(gateway)};"
    assert {each["msgType"] for each in messages} == {"POST_ATTRIBUTES_REQUEST"}


def test_dashboards_have_the_form_of_an_export(made: Pack) -> None:
    for board in dashboards(made):
        assert {"title", "configuration", "name"} <= set(board)
        configuration = board["configuration"]
        assert {"widgets", "states", "entityAliases", "filters", "timewindow", "settings"} <= set(
            configuration
        )
        widgets = configuration["widgets"]
        places = configuration["states"]["default"]["layouts"]["main"]["widgets"]
        assert places.keys() == widgets.keys()
        rows = sorted((place["row"], place["row"] + place["sizeY"]) for place in places.values())
        assert all(end <= begin for (_, end), (begin, _) in pairwise(rows)), "none overlaps"
        for id_, widget in widgets.items():
            assert set(widget) == OF_WIDGET
            assert widget["id"] == id_
            assert KINDS_OF_WIDGETS[widget["typeFullFqn"]] == widget["type"]
        for alias in walked(board, "entityAliasId"):
            assert alias in configuration["entityAliases"]
        for filter_id in filter(None, walked(board, "filterId")):
            assert filter_id in configuration["filters"]


def test_the_card_of_states_has_a_row_for_each_sensor_whatever_it_is_called(site: Site, made: Pack) -> None:
    (card,) = (
        widget["config"]
        for widget in made.files["dashboard-site.json"]["configuration"]["widgets"].values()
        if widget["typeFullFqn"].endswith("markdown_card")
    )
    text = card["settings"]["markdownTextPattern"]
    labels = {key["label"] for key in card["datasources"][0]["dataKeys"]}
    rows = text.splitlines()
    buses = {sensor.bus for sensor in site.sensors.values()}
    assert len(rows) == 2 + len(site.sensors) + len(buses)
    assert all(row.count("|") == 6 for row in rows)
    assert {part.partition("}")[0] for part in text.split("${")[1:]} == labels


def test_the_same_site_makes_the_same_files(site: Site) -> None:
    assert pack(site) == pack(site)


def test_a_prefix_stands_before_every_device(tmp_path: Path) -> None:
    made = pack(readme_site(tmp_path), "farm/")
    assert set(made.profiles) == {"farm/barn-7-gateway", "farm/main-meter", "farm/soil"}
    texts = [
        json.dumps(document)
        for document in (made.files["rule-chain.json"], made.files["dashboard-site.json"])
    ]
    assert all('farm/main-meter"' in text.replace('\\"', '"') for text in texts)


def test_what_cannot_be_an_alarm_is_said_with_the_next_step(tmp_path: Path) -> None:
    notes = pack(odd_site(tmp_path)).notes
    assert any("main-meter" in note and 'at_least = "10m"' in note for note in notes)
    assert not any("names no device" in note for note in notes)
    (note,) = pack(readme_site(tmp_path)).notes
    assert 'gateway = "barn-7-gateway"' in note


def test_the_files_beside_the_page_are_those_of_readmes_site(tmp_path: Path) -> None:
    """Anew: python -m bridge thingsboard pack --site README's --out docs/thingsboard."""
    write(pack(readme_site(tmp_path)).files, tmp_path / "pack")
    written = {path.name: path.read_text("utf-8") for path in (tmp_path / "pack").iterdir()}
    shown = {path.name: path.read_text("utf-8") for path in (ROOT / "docs" / "thingsboard").glob("*.json")}
    assert shown == written


@given(interval_s=st.sampled_from([0.0, 1.0, 10.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 86_400.0]))
def test_two_missed_polls_are_no_alarm_and_a_death_is(interval_s: float) -> None:
    """A reading comes after three intervals at the latest; ThingsBoard looks once a minute."""
    inactive_at = timing.inactivity_s(interval_s)
    alarm_at = inactive_at + timing.grace_s(interval_s)
    assert inactive_at > 2 * interval_s, "one missed poll does not even make it inactive"
    assert alarm_at > 3 * interval_s + timing.STATE_CHECK_S
    assert timing.alarm_s(interval_s) <= max(4 * interval_s, 900) + 300
    assert alarm_at >= timing.GATEWAY_INACTIVITY_S + timing.STATE_CHECK_S, "a dead gateway is noticed first"
    assert timing.grace_s(interval_s) > interval_s + timing.STATE_CHECK_S, "read again after its return"
