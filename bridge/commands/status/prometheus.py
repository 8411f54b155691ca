"""`status --prometheus`: the figures of line, ledger and uplink in Prometheus's text format, version 0.0.4.

For node_exporter's textfile collector, or any other that reads the format. A figure that nobody knows is left
out. What a sensor measures is not among them: that goes to ThingsBoard, each value with its own time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from bridge.commands.status.snapshot import COLUMNS
from bridge.status.documents import BusDocument, SensorStatus, Status, UplinkDocument
from bridge.status.states import NOT_RUNNING, UNHEARD

_PREFIX: Final = "serial_bridge_"
_GAUGE, _COUNTER = "gauge", "counter"

FAMILIES: Final[Mapping[str, tuple[str, str]]] = {
    "info": (_GAUGE, "Version of the bridge, and the site; always 1."),
    "config_edited": (_GAUGE, "1 if site.toml was edited and is not in force."),
    "clock_trusted": (_GAUGE, "1 if somebody vouches for the time."),
    "bus_ready": (_GAUGE, "1 if the port of the bus is open and read."),
    "bus_state": (_GAUGE, "The state of the bus's port; 1 for the present one."),
    "bus_wire_share_ratio": (_GAUGE, "The part of the time in which the line was in use."),
    "bus_crc_errors_total": (_COUNTER, "Frames with a wrong checksum."),
    "bus_foreign_frames_total": (_COUNTER, "Frames of a device that was not asked or is not configured."),
    "bus_stray_octets_total": (_COUNTER, "Octets outside any frame."),
    "bus_echoes_total": (_COUNTER, "Own requests heard."),
    "bus_uart_errors_total": (_COUNTER, "Errors that the UART itself counted, by kind."),
    "sensor_heard": (_GAUGE, "1 if the sensor gives a sign of life."),
    "sensor_state": (_GAUGE, "The state of the sensor; 1 for the present one."),
    "sensor_last_reading_timestamp_seconds": (_GAUGE, "When its newest reading was on the wire."),
    "sensor_requests_total": (_COUNTER, "Frames sent to it, retries included."),
    "sensor_replies_total": (_COUNTER, "Replies from it."),
    "sensor_timeouts_total": (_COUNTER, "Requests without a usable reply in time."),
    "sensor_crc_errors_total": (_COUNTER, "Replies with a wrong checksum."),
    "sensor_exceptions_total": (_COUNTER, "Refusals by the device, by its own code."),
    "sensor_late_replies_total": (_COUNTER, "Replies that came after their time-out."),
    "sensor_missed_slots_total": (_COUNTER, "Times of its grid at which the line was busy."),
    "sensor_incomplete_total": (_COUNTER, "Polls that were answered only in part."),
    "sensor_empty_total": (_COUNTER, "Polls or telegrams without one usable value."),
    "sensor_telegrams_total": (_COUNTER, "Telegrams heard from a sensor that pushes."),
    "sensor_turn_around_seconds": (_GAUGE, "From the end of a request to the reply, by quantile."),
    "sensor_wire_share_ratio": (_GAUGE, "The part of the time in which it held the line."),
    "readings_read_total": (_COUNTER, "Readings taken: delivered, queued, expired, refused and dropped."),
    "readings_queued": (_GAUGE, "Readings in the spool, to be delivered."),
    "readings_delivered_total": (_COUNTER, "Readings accepted by the server."),
    "readings_expired_total": (_COUNTER, "Readings lost because the spool reached its limit."),
    "readings_refused_total": (_COUNTER, "Readings kept apart, with the server's answer."),
    "readings_dropped_total": (_COUNTER, "Readings not kept: full disk, damaged file, or by hand."),
    "uplink_up": (_GAUGE, "1 if the server answers."),
    "uplink_state": (_GAUGE, "The state of the uplink; 1 for the present one."),
    "uplink_last_success_timestamp_seconds": (_GAUGE, "When the server last answered."),
    "uplink_requests_total": (_COUNTER, "Requests, each counted once."),
    "uplink_responses_total": (_COUNTER, "Answers, by CoAP response code."),
    "uplink_retransmissions_total": (_COUNTER, "How often a request was sent again."),
    "uplink_timeouts_total": (_COUNTER, "Requests that ended in silence."),
    "uplink_round_trip_seconds": (_GAUGE, "Smoothed time to an acknowledgement."),
    "uplink_held": (_GAUGE, "1 if the readings of the sensor wait for the server or for a person."),
    "uplink_slowed_values_per_second": (_GAUGE, "The rate to which the server's limit slows the sensor."),
}
"""Every family of samples, without the prefix: its type and what it says."""

_OF_SENSOR: Final = (
    *("requests", "replies", "timeouts", "crc_errors", "late_replies", "missed_slots", "incomplete"),
    *("empty", "telegrams"),
)
_OF_LINE: Final = ("crc_errors", "foreign_frames", "stray_octets", "echoes")
_QUANTILES: Final = {"0.5": "turn_around_p50_ms", "0.99": "turn_around_p99_ms"}

_Sample = tuple[str, Mapping[str, str], float]  # family, labels, value


def exposition(document: Status, site: str) -> str:
    """Return the status as text, each family once, with its help and its type.

    Args:
        document: of `status --json`.
        site: the name of the site.
    """
    samples_of: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for family, labels, value in _samples(document, site):
        samples_of[family].append(f"{_PREFIX}{family}{_labels(labels)} {_number(value)}\n")
    return "".join(
        f"# HELP {_PREFIX}{family} {text}\n# TYPE {_PREFIX}{family} {kind}\n{''.join(samples_of[family])}"
        for family, (kind, text) in FAMILIES.items()
        if samples_of[family]
    )


def _samples(document: Status, site: str) -> Iterator[_Sample]:
    yield "info", {"version": document["version"], "site": site}, 1
    yield "config_edited", {}, bool(document["not_in_force"])
    yield "clock_trusted", {}, document["clock"]["source"] is not None
    for name, bus in document["buses"].items():
        yield from _of_bus(name, bus)
    for name, sensor in document["sensors"].items():
        yield from _of_sensor({"bus": sensor["bus"] or "", "sensor": name}, sensor)
    yield from _of_uplink(document["uplink"])


def _of_bus(name: str, bus: BusDocument) -> Iterator[_Sample]:
    labels = {"bus": name}
    yield "bus_ready", labels, bus["state"] == "ready"
    yield "bus_state", {**labels, "state": bus["state"]}, 1
    if bus["state"] == NOT_RUNNING:
        return
    line = bus.get("line", {})
    if (share := line.get("wire_share")) is not None:
        yield "bus_wire_share_ratio", labels, share
    for key in _OF_LINE:
        if isinstance(count := line.get(key), int):
            yield f"bus_{key}_total", labels, count
    for kind, count in line.get("uart", {}).items():
        if isinstance(count, int):
            yield "bus_uart_errors_total", {**labels, "kind": kind}, count


def _of_sensor(labels: Mapping[str, str], sensor: SensorStatus) -> Iterator[_Sample]:
    for column in COLUMNS:
        family = "readings_queued" if column == "queued" else f"readings_{column}_total"
        yield family, labels, sensor[column]
    if sensor["bus"] is None:
        return
    yield "sensor_heard", labels, sensor["state"] not in UNHEARD
    yield "sensor_state", {**labels, "state": sensor["state"]}, 1
    if (last_ts := sensor["last_ts"]) is not None:
        yield "sensor_last_reading_timestamp_seconds", labels, last_ts / 1000
    if sensor["state"] == NOT_RUNNING:
        return
    for key in _OF_SENSOR:
        if isinstance(count := sensor.get(key), int):
            yield f"sensor_{key}_total", labels, count
    for code, count in sensor.get("exception_codes", {}).items():
        yield "sensor_exceptions_total", {**labels, "code": code}, count
    for quantile, key in _QUANTILES.items():
        if isinstance(milliseconds := sensor.get(key), int | float):
            yield "sensor_turn_around_seconds", {**labels, "quantile": quantile}, milliseconds / 1000
    if (share := sensor.get("wire_share")) is not None:
        yield "sensor_wire_share_ratio", labels, share


def _of_uplink(uplink: UplinkDocument) -> Iterator[_Sample]:
    is_up = uplink["state"] in ("up", "holding", "idle") and not uplink.get("last_error")
    yield "uplink_up", {}, is_up
    yield "uplink_state", {"state": uplink["state"]}, 1
    if (last_success := uplink.get("last_success")) is not None:
        yield "uplink_last_success_timestamp_seconds", {}, last_success / 1000
    if uplink["state"] == NOT_RUNNING or "client" not in uplink:
        return
    client = uplink["client"]
    yield "uplink_requests_total", {}, client["requests"]
    yield "uplink_retransmissions_total", {}, client["retransmissions"]
    yield "uplink_timeouts_total", {}, client["timeouts"]
    for code, count in client["responses"].items():
        yield "uplink_responses_total", {"code": str(code)}, count
    if client["srtt_s"] is not None:
        yield "uplink_round_trip_seconds", {}, client["srtt_s"]
    for sensor in uplink.get("holds", {}):
        yield "uplink_held", {"sensor": sensor}, 1
    for sensor, pace in uplink.get("slowed", {}).items():
        yield "uplink_slowed_values_per_second", {"sensor": sensor}, pace["values_per_s"]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    """Return the text as it stands between the quotes of a label."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    """Return a number as the format takes it: whole numbers without a point."""
    return str(int(value)) if value == int(value) else repr(float(value))
