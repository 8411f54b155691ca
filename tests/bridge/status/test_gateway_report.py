"""What the gateway's own device shows, from documents as the processes publish them."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.status import gateway_report
from bridge.status.gateway_report import ErrorShares, Observation, SpoolFigures

NOW_MS = 1_800_000_000_000
SPOOL = SpoolFigures(
    read=100, delivered=90, queued=4, expired=3, refused=2, dropped=1,
    oldest_age_s=61.7, bytes=250_000, limit=1_000_000, disk_free_bytes=5_000_000,
)  # fmt: skip
UPLINK: dict[str, Any] = {
    "state": "holding",
    "running": True,
    "fingerprint": "f2",
    "started": 20_000,
    "holds": {
        "soil": {"reason": "the server does not know its access token (4.01): compare", "next_try": 1},
        "roof": {"reason": "the server does not take JSON (4.15)", "next_try": 1},
    },
    "slowed": {"meter": {"values_per_s": 3.0, "since": 1, "reason": "5.00 from the server"}},
    "client": {"retransmissions": 7, "timeouts": 1, "srtt_s": 0.12345},
}


def bus(state: str = "ready", *, running: bool = True, **sensors: dict[str, Any]) -> dict[str, Any]:
    line = {"wire_share": 0.12345}
    return {
        "state": state, "running": running, "fingerprint": "f1", "started": 10_000, "sensors": sensors,
        "line": line,
    }  # fmt: skip


def seen(uplink: dict[str, Any] | None = None, **buses: Any) -> Observation:
    sensors = {"meter": "wired", "soil": "wired", "roof": "air"}
    return Observation(sensors, buses, uplink, True, "the system clock", NOW_MS)  # type: ignore[arg-type]


def test_states_tell_of_each_bus_and_sensor_and_count_them() -> None:
    values = gateway_report.states(
        seen(
            UPLINK,
            wired=bus(meter={"state": "ok"}, soil={"state": "silent"}),
            air=bus("lost", roof={"state": "ok"}),
        )
    )
    assert values == {
        "clock_trusted": True,
        "uplink_state": "holding",
        "wrong_tokens": 1,
        "uplink_held": 2,
        "uplink_slowed": 1,
        "sensors_heard": 1,
        "sensors_silent": 2,
        "bus_wired_state": "ready",
        "bus_air_state": "lost",
        "sensor_meter_state": "ok",
        "sensor_soil_state": "silent",
        "sensor_roof_state": "no port",
        "sensor_meter_delivery": "slowed",
        "sensor_soil_delivery": "wrong token",
        "sensor_roof_delivery": "held",
    }


def test_of_a_bus_that_nobody_reads_nothing_is_claimed() -> None:
    values = gateway_report.states(seen(None, wired=bus(running=False, meter={"state": "ok"})))
    assert values["bus_wired_state"] == values["bus_air_state"] == "not running"
    assert values["sensor_meter_state"] == values["sensor_roof_state"] == "not running"
    assert values["uplink_state"] == "idle"


def test_figures_tell_what_waits_and_what_became_of_the_rest() -> None:
    values = gateway_report.figures(
        seen(UPLINK, wired=bus(meter={"last_ts": NOW_MS - 125_000})), SPOOL, 3600.9
    )
    assert values == {
        "uptime_s": 3600,
        "clock_state": "the system clock",
        "spool_queued": 4,
        "spool_oldest_age_s": 61,
        "spool_bytes": 250_000,
        "spool_used": 0.25,
        "disk_free_bytes": 5_000_000,
        "readings_read": 100,
        "readings_delivered": 90,
        "readings_expired": 3,
        "readings_refused": 2,
        "readings_dropped": 1,
        "uplink_retransmissions": 7,
        "uplink_timeouts": 1,
        "uplink_round_trip_s": 0.123,
        "bus_wired_wire_share": 0.123,
        "sensor_meter_age_s": 120,
    }


def test_a_spool_that_cannot_be_read_leaves_out_its_own_keys_alone() -> None:
    assert gateway_report.figures(seen(None), None, 1.0) == {"uptime_s": 1, "clock_state": "the system clock"}


@pytest.mark.parametrize(
    ("age_ms", "shown_s"), [(-5_000, 0), (0, 0), (59_999, 0), (60_000, 60), (7_200_000, 7200)]
)
def test_an_age_is_told_in_whole_minutes(age_ms: int, shown_s: int) -> None:
    values = gateway_report.figures(seen(None, wired=bus(meter={"last_ts": NOW_MS - age_ms})), None, 0)
    assert values["sensor_meter_age_s"] == shown_s


def test_error_shares_are_those_since_the_report_before() -> None:
    shares = ErrorShares()

    def counted(requests: int, timeouts: int, crc_errors: int) -> dict[str, Any]:
        counts = {"requests": requests, "timeouts": timeouts, "crc_errors": crc_errors}
        return shares.since_last(seen(None, wired=bus(meter=counts, soil={"requests": 10})))

    assert counted(1000, 500, 0) == {}
    assert counted(1010, 501, 1) == {"sensor_meter_error_share": 0.2, "bus_wired_error_share": 0.2}
    assert counted(1010, 501, 1) == {}
    assert counted(5, 5, 0) == {}, "its reader has started again"
    assert counted(6, 5, 0) == {"sensor_meter_error_share": 0.0, "bus_wired_error_share": 0.0}


def test_the_configuration_in_force_is_that_of_the_processes() -> None:
    first = gateway_report.identity(seen(UPLINK, wired=bus()), "barn", "1.2.3")
    assert first["version"], first["site"] == ("1.2.3", "barn")
    assert first["config_since"] == 20_000
    edited = {**UPLINK, "fingerprint": "f3", "started": 30_000}
    second = gateway_report.identity(seen(edited, wired=bus()), "barn", "1.2.3")
    assert second["config_hash"] != first["config_hash"]
    assert second["config_since"] == 30_000
    assert gateway_report.identity(seen(None), "barn", "1.2.3") == {"version": "1.2.3", "site": "barn"}


def test_every_key_is_one_of_the_lists() -> None:
    site = seen(UPLINK, wired=bus(meter={"state": "ok", "last_ts": 1, "requests": 9}))
    shares = ErrorShares()
    shares.since_last(site)
    asked_again = seen(UPLINK, wired=bus(meter={"state": "ok", "last_ts": 1, "requests": 10}))
    values = {
        **gateway_report.states(site),
        **gateway_report.figures(site, SPOOL, 1.0),
        **shares.since_last(asked_again),
        **gateway_report.identity(site, "barn", "1"),
    }
    assert set(values) <= gateway_report.all_keys(site.sensors)
    words = {key.removeprefix("sensor_meter_") for key in values if key.startswith("sensor_meter_")}
    assert words == set(gateway_report.OF_SENSOR)
    assert {key.removeprefix("bus_wired_") for key in values if key.startswith("bus_wired_")} == set(
        gateway_report.OF_BUS
    )
