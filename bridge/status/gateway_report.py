"""What the gateway's own device in ThingsBoard shows: the status as flat keys. Pure.

    states     change seldom and matter at once: of each bus and sensor, of the clock, of the uplink
    figures    change all the time: the spool, the ledger, the round trip, ages and shares of errors
    identity   client attributes: version, site, and the configuration in force

A key of one sensor is `sensor_NAME_WORD`, of one bus `bus_NAME_WORD`. The words are listed here and nowhere
else, because the alarm rules and dashboards of `serial-bridge thingsboard pack` are made from the same lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from bridge.status.states import UNHEARD, bus_state, counts_of, sensor_states

if TYPE_CHECKING:
    from bridge.status.documents import BusDocument, SensorDocument, UplinkDocument

Value = int | float | str | bool

_LEDGER: Final = ("read", "delivered", "expired", "refused", "dropped")

STATES: Final = (
    "clock_trusted",
    "uplink_state",
    "wrong_tokens",
    "uplink_held",
    "uplink_slowed",
    "sensors_heard",
    "sensors_silent",
)
FIGURES: Final = (
    "uptime_s",
    "clock_state",
    "spool_queued",
    "spool_oldest_age_s",
    "spool_bytes",
    "spool_used",
    "disk_free_bytes",
    *(f"readings_{word}" for word in _LEDGER),
    "uplink_round_trip_s",
    "uplink_retransmissions",
    "uplink_timeouts",
)
IDENTITY: Final = ("version", "site", "config_hash", "config_since")
OF_BUS: Final = ("state", "wire_share", "error_share")
OF_SENSOR: Final = ("state", "delivery", "age_s", "error_share")

FLOWS, HELD, SLOWED, WRONG_TOKEN = "flows", "held", "slowed", "wrong token"  # a sensor's `delivery`

AGE_STEP_S: Final = (
    60  # an age is told in whole minutes, so that a sensor which is read more often costs nothing
)
_UNAUTHORIZED = "(4.01)"
_SHARE_DIGITS = 3


def bus_key(bus: str, word: str) -> str:
    """Return the key of a bus's value; `word` is one of `OF_BUS`."""
    return f"bus_{bus}_{word}"


def sensor_key(sensor: str, word: str) -> str:
    """Return the key of a sensor's value; `word` is one of `OF_SENSOR`."""
    return f"sensor_{sensor}_{word}"


def all_keys(sensors: Mapping[str, str]) -> set[str]:
    """Return every key that a gateway with these sensors can have; they are given with their buses."""
    return {
        *STATES,
        *FIGURES,
        *IDENTITY,
        *(bus_key(bus, word) for bus in sensors.values() for word in OF_BUS),
        *(sensor_key(sensor, word) for sensor in sensors for word in OF_SENSOR),
    }


@dataclass(frozen=True, slots=True)
class Observation:
    """What the processes of a site publish, at one moment.

    Attributes:
        sensors: the bus of each sensor of the site, by the sensor's name.
        buses: the newest document of each bus, by its name.
        uplink: the newest document of the uplink, None before the first.
        clock_trusted: whether readings can be dated.
        clock_state: the same in a sentence.
        now_ms: milliseconds since 1970 UTC.
    """

    sensors: Mapping[str, str]
    buses: Mapping[str, BusDocument]
    uplink: UplinkDocument | None
    clock_trusted: bool
    clock_state: str
    now_ms: int

    def counts(self, sensor: str) -> SensorDocument:
        """Return the document of a sensor, empty if nobody has published one."""
        return counts_of(self.buses, self.sensors[sensor], sensor)


@dataclass(frozen=True, slots=True)
class SpoolFigures:
    """What waits on the disk, and what became of the readings, summed over all sensors.

    Attributes:
        read, delivered, queued, expired, refused, dropped: as in the ledger.
        oldest_age_s: the age of the oldest reading that waits; 0 if none does.
        bytes: of the database and its log.
        limit: bytes that they may take.
        disk_free_bytes: left on their file system.
    """

    read: int
    delivered: int
    queued: int
    expired: int
    refused: int
    dropped: int
    oldest_age_s: float
    bytes: int
    limit: int
    disk_free_bytes: int


def states(seen: Observation) -> dict[str, Value]:
    """Return the values of which a change is reported at once."""
    uplink: UplinkDocument = seen.uplink or {"state": "idle"}
    state_of = sensor_states(seen.buses, seen.sensors)
    delivery_of = _deliveries(uplink, seen.sensors)
    counts = Counter(delivery_of.values())
    silent = sum(state in UNHEARD for state in state_of.values())
    return {
        "clock_trusted": seen.clock_trusted,
        "uplink_state": uplink["state"],
        "wrong_tokens": counts[WRONG_TOKEN],
        "uplink_held": counts[WRONG_TOKEN] + counts[HELD],
        "uplink_slowed": counts[SLOWED],
        "sensors_heard": len(state_of) - silent,
        "sensors_silent": silent,
        **{bus_key(bus, "state"): bus_state(seen.buses.get(bus)) for bus in _buses(seen)},
        **{sensor_key(name, "state"): state for name, state in state_of.items()},
        **{sensor_key(name, "delivery"): word for name, word in delivery_of.items()},
    }


def _deliveries(uplink: UplinkDocument, sensors: Iterable[str]) -> dict[str, str]:
    """Return what becomes of the readings of each sensor."""
    holds, slowed = uplink.get("holds", {}), uplink.get("slowed", {})

    def word(sensor: str) -> str:
        if sensor in holds:
            return WRONG_TOKEN if _UNAUTHORIZED in holds[sensor]["reason"] else HELD
        return SLOWED if sensor in slowed else FLOWS

    return {sensor: word(sensor) for sensor in sensors}


def figures(seen: Observation, spool: SpoolFigures | None, uptime_s: float) -> dict[str, Value]:
    """Return the values that are reported every minute, without the shares of errors.

    Args:
        seen: what the processes publish.
        spool: what waits; None if it cannot be read now, and then its keys are missing.
        uptime_s: seconds since the machine started.
    """
    client = (seen.uplink or {"state": "idle"}).get("client")
    values: dict[str, Value] = {"uptime_s": int(uptime_s), "clock_state": seen.clock_state}
    if spool is not None:
        values |= {
            "spool_queued": spool.queued,
            "spool_oldest_age_s": int(spool.oldest_age_s),
            "spool_bytes": spool.bytes,
            "spool_used": round(spool.bytes / spool.limit, _SHARE_DIGITS),
            "disk_free_bytes": spool.disk_free_bytes,
            **{f"readings_{word}": getattr(spool, word) for word in _LEDGER},
        }
    if client is not None:
        values["uplink_retransmissions"] = client["retransmissions"]
        values["uplink_timeouts"] = client["timeouts"]
        if client["srtt_s"] is not None:
            values["uplink_round_trip_s"] = round(client["srtt_s"], 3)
    for bus in _buses(seen):
        share = seen.buses[bus].get("line", {}).get("wire_share") if bus in seen.buses else None
        if share is not None:
            values[bus_key(bus, "wire_share")] = round(share, _SHARE_DIGITS)
    for sensor in seen.sensors:
        last_ts = seen.counts(sensor).get("last_ts")
        if last_ts is not None:
            minutes = max(0, seen.now_ms - last_ts) // (1000 * AGE_STEP_S)
            values[sensor_key(sensor, "age_s")] = minutes * AGE_STEP_S
    return values


class ErrorShares:
    """The shares of requests without a good reply, 0–1, each since the report before. Pure."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[int, int]] = {}

    def since_last(self, seen: Observation) -> dict[str, Value]:
        """Return the share of each bus and sensor that was asked since the last call."""
        counts = {sensor_key(name, "error_share"): seen.counts(name) for name in seen.sensors}
        values: dict[str, Value] = {}
        totals: Counter[str] = Counter()
        errors: Counter[str] = Counter()
        for sensor, (key, of_sensor) in zip(seen.sensors, counts.items(), strict=True):
            asked = of_sensor.get("requests", 0)
            failed = of_sensor.get("timeouts", 0) + of_sensor.get("crc_errors", 0)
            asked_before, failed_before = self._before.get(key, (asked, failed))
            self._before[key] = asked, failed
            if asked > asked_before:  # fewer than before: its reader has started again
                values[key] = _share(failed - failed_before, asked - asked_before)
                totals[seen.sensors[sensor]] += asked - asked_before
                errors[seen.sensors[sensor]] += max(0, failed - failed_before)
        for bus, total in totals.items():
            values[bus_key(bus, "error_share")] = _share(errors[bus], total)
        return values


def _share(failed: int, asked: int) -> float:
    return round(min(1.0, max(0, failed) / asked), _SHARE_DIGITS)


def identity(seen: Observation, site: str, version: str) -> dict[str, Value]:
    """Return the client attributes; the configuration is that with which the running processes started."""
    documents = [*seen.buses.values(), *([seen.uplink] if seen.uplink else [])]
    running = [document for document in documents if document.get("running")]
    prints = sorted({str(document.get("fingerprint", "")) for document in running})
    values: dict[str, Value] = {"version": version, "site": site}
    if running:
        values["config_hash"] = sha256(" ".join(prints).encode()).hexdigest()[:12]
        values["config_since"] = max(document.get("started", 0) for document in running)
    return values


def _buses(seen: Observation) -> list[str]:
    return list(dict.fromkeys(seen.sensors.values()))
