"""`status --prometheus`: what Prometheus's own parser reads of it."""

from __future__ import annotations

import re
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bridge.commands.status.prometheus import FAMILIES, exposition
from bridge.commands.status.snapshot import NEVER
from bridge.status.documents import Status
from tests.support.pages import ROOT
from tests.support.screens import troubled_site

LEDGER = dict.fromkeys(("read", "delivered", "queued", "expired", "refused", "dropped"), 0)


def parsed(document: Status, site: str = "barn") -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Return the samples by family and labels, as Prometheus reads them."""
    text = exposition(document, site)
    assert text.endswith("\n")
    samples: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type in ("gauge", "counter")
        for sample in family.samples:
            labels = frozenset(sample.labels.items())
            of_name = samples.setdefault(sample.name.removeprefix("serial_bridge_"), {})
            assert labels not in of_name, "each sample once"
            of_name[labels] = sample.value
    return samples


def site(sensor: dict[str, Any] | None = None, **uplink: Any) -> Status:
    row = {"bus": "meters", **NEVER, **LEDGER, **(sensor or {})}
    return cast(
        Status,
        {
            "version": "1.2.3",
            "not_in_force": [],
            "ledger": LEDGER,
            "sensors": {"a": row},
            "buses": {
                "meters": {"state": "ready", "running": True, "line": {"wire_share": 0.25, "echoes": 3}}
            },
            "uplink": {"state": "not running", "running": False, **uplink},
            "gateway": None,
            "clock": {"state": "", "source": None, "placed": None},
        },
    )


def of(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def test_the_counters_of_a_sensor_are_its_own() -> None:
    counts = {
        "state": "ok",
        "last_ts": 1_700_000_000_500,
        "requests": 12,
        "timeouts": 2,
        "exception_codes": {"2": 1},
        "turn_around_p99_ms": 12.5,
        "read": 9,
        "queued": 4,
    }
    samples = parsed(site(counts))
    a = of(bus="meters", sensor="a")
    assert samples["sensor_requests_total"] == {a: 12}
    assert samples["sensor_timeouts_total"] == {a: 2}
    assert samples["sensor_exceptions_total"] == {of(bus="meters", sensor="a", code="2"): 1}
    assert samples["sensor_turn_around_seconds"] == {of(bus="meters", sensor="a", quantile="0.99"): 0.0125}
    assert samples["sensor_last_reading_timestamp_seconds"] == {a: 1_700_000_000.5}
    assert (samples["readings_read_total"], samples["readings_queued"]) == ({a: 9}, {a: 4})
    assert samples["sensor_heard"] == {a: 1}
    assert samples["bus_wire_share_ratio"] == {of(bus="meters"): 0.25}
    assert samples["bus_echoes_total"] == {of(bus="meters"): 3}
    assert samples["clock_trusted"] == {of(): 0}


def test_the_uplink_says_how_it_is() -> None:
    client = {
        "requests": 7,
        "responses": {"2.01": 6, "5.00": 1},
        "retransmissions": 2,
        "timeouts": 0,
        "lanes": 4,
        "srtt_s": 0.0625,
        "address": None,
    }
    holds = {"a": {"reason": "4.01", "next_try": None}}
    samples = parsed(
        site(None, state="holding", running=True, client=client, holds=holds, last_success=5_000)
    )
    assert samples["uplink_up"] == {of(): 1}
    assert samples["uplink_state"] == {of(state="holding"): 1}
    assert samples["uplink_responses_total"] == {of(code="2.01"): 6, of(code="5.00"): 1}
    assert samples["uplink_round_trip_seconds"] == {of(): 0.0625}
    assert samples["uplink_held"] == {of(sensor="a"): 1}
    assert samples["uplink_last_success_timestamp_seconds"] == {of(): 5}
    backing_off = parsed(site(None, state="backing off", running=True, last_error="silent"))
    assert backing_off["uplink_up"] == {of(): 0}


def test_of_what_does_not_run_only_the_books_and_the_state_are_told() -> None:
    samples = parsed(site())
    assert samples["sensor_state"] == {of(bus="meters", sensor="a", state="not running"): 1}
    assert samples["uplink_up"] == {of(): 0}
    assert not any(name.startswith("sensor_requests") for name in samples)


def test_a_site_in_trouble_is_told_whole() -> None:
    samples = parsed(troubled_site())
    assert len(samples["sensor_state"]) == 30
    assert sum(samples["readings_queued"].values()) > 0


@given(name=st.text(min_size=1, max_size=20).filter(str.isprintable), version=st.text(max_size=10))
def test_any_name_is_read_back_as_it_is(name: str, version: str) -> None:
    document = site()
    document["sensors"] = {name: document["sensors"]["a"]}
    samples = parsed({**document, "version": version.replace("\r", "")}, name)
    (labels,) = samples["readings_queued"]
    assert dict(labels)["sensor"] == name


def test_every_family_is_in_the_table_of_the_page() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
    shown = set(re.findall(r"`serial_bridge_([a-z_]+)`", page))
    assert shown == set(FAMILIES)
