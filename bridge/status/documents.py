"""The documents of the status: what each process publishes, and what `status --json` makes of them.

    reader   bus-NAME.json   BusDocument       ─┐
    uplink   uplink.json     UplinkDocument    ─┼─▶  status --json: Status
    uplink   clock.json      ClockDocument     ─┤
    uplink   gateway.json    GatewayDocument   ─┘

Every key that other programs may rely on stands here, with its unit. A key that is not required is missing
as long as nobody knows its value: no process has published the document, or one of another version has.
Counters begin at 0 with the process, but those in `line_statistics.OF_SENSOR` and `OF_LINE`, which go on
across restarts. A time whose key says nothing else is in milliseconds since 1970 UTC.
"""

from __future__ import annotations

from typing import NotRequired, Required, TypedDict

from bridge.response_code import ResponseCode
from protocols.toolkit.polling import Values


class Published(TypedDict, total=False):
    """What is added to every document when it is published and when it is read."""

    pid: int  # of the process that published it
    updated: int  # when it did so, ms
    running: bool  # whether that process lives
    fingerprint: str  # of the part of site.toml that it was started with
    started: int  # when it was, ms


class Learned(TypedDict):
    """What a reader has learned about a polled sensor; `status --forget` clears it."""

    reply_timeout_ms: float | None  # how long a reply is waited for now
    is_slow: bool  # waited for longer than site.toml says
    owes_a_reply: bool  # the reply to an earlier request may still come
    answers_twice: bool  # every request is answered by two copies of the reply, and the second one is awaited
    is_retried: bool  # a request without a reply is sent again


class StateChange(TypedDict):
    """The beginning of a state of a sensor."""

    state: str  # as in `SensorDocument`, or "no port"
    since: int  # ms


class SensorDocument(TypedDict, total=False):
    """One sensor of a bus. A pushing sensor has none of the keys of polling, and the other way round."""

    state: str  # "never", "ok", "partly", "silent", "refusing", "failed"
    trouble: str | None  # what is wrong, in one sentence with the next step; None if nothing is

    history: list[StateChange]  # the last few, the newest last

    # Its values.
    last_ts: int | None  # when the newest reading was on the wire, ms
    last_values: Values | None  # of that reading, in the units of site.toml
    empty: int  # polls or telegrams without one usable value
    unchanged: int  # readings that `publish = "change"` suppressed
    left_out: dict[str, str]  # keys without a value in the last poll, each with the reason
    doubts: dict[str, str]  # a sentence for each value that cannot be, by its key
    unstorable: int  # values left out because ThingsBoard cannot store them as numbers
    uncertain_stamps: int  # readings with a `stamp_error_ms`

    # If it is polled.
    requests: int  # frames sent, retries included
    replies: int
    timeouts: int  # requests without a usable reply in time
    crc_errors: int  # replies with a wrong checksum
    exceptions: int  # refusals by the device
    exception_codes: dict[str, int]  # the same, by the device's own code
    late_replies: int  # replies that came after their time-out
    second_replies: int  # further copies of a reply that had been taken
    late_readings: int  # of these, the ones that could be kept as readings
    missed_slots: int  # times of its grid at which the line was busy
    incomplete: int  # polls that were answered only in part
    out_of_limits: int  # values left out by `min` or `max`
    held: int  # requests not sent because their reply could have been mistaken
    failures: int  # polls in a row in which its protocol's code failed
    last_cause: str | None  # why the last request got no reply: a `bridge.causes.Cause`
    turn_around_p50_ms: float | None  # from the end of a request to the reply, median …
    turn_around_p99_ms: float | None  # … and the slowest hundredth
    lateness_p99_ms: float | None  # from a time of its grid to the poll, the latest hundredth
    wire_share: float  # 0–1: the part of the time in which it held the line
    learned: Learned
    lessons: list[str]  # the same, and what is left out or read in parts, in sentences

    # If it is pushing.
    telegrams: int  # telegrams heard
    thinned: int  # of these, the ones left out because `every` keeps fewer

    # of a bus that only listens
    never_read: dict[str, str]  # values that the master has not asked for so far, each with its place


class UnconfiguredSensor(TypedDict):
    """A pushing sensor that is heard but is not in site.toml."""

    telegrams: int  # heard from it
    last_values: Values


class UartCounters(TypedDict):
    """The errors that the UART itself counted since its driver was loaded."""

    framing: int
    overrun: int
    parity: int
    breaks: int
    buffer_overrun: int


class LineDocument(TypedDict, total=False):
    """The line of a bus: sums over its sensors, and what belongs to none of them."""

    settings: str  # "9600 8N1"
    crc_errors: int
    foreign_frames: int  # frames of a sensor that is not in site.toml, or was not asked
    stray_octets: int  # octets outside any frame
    uart: UartCounters  # missing where the driver does not count

    # If its sensors are polled.
    requests: int
    replies: int
    timeouts: int
    late_replies: int
    echoes: int  # own requests heard
    has_echo: bool  # whether the adapter heard the last request itself
    wire_share: float  # 0–1: the part of the time in which the line was in use
    trouble: str | None  # what is wrong with the line itself, with the next step; None if nothing is

    # If its sensors are pushing.
    frames: int
    nonsense: int  # frames whose content makes no sense
    unpaired: dict[str, int]  # replies to a foreign master that may be another's, by the reason
    no_key: int  # encrypted telegrams: of a meter without a key in credentials.toml …
    wrong_key: int  # … with a key that does not fit …
    replayed: int  # … and with a counter that does not rise; each missing while 0
    not_configured: dict[str, UnconfiguredSensor]  # by the id that it sends, "" for none


class SpoolDocument(TypedDict):
    """What a reader says of a spool that takes nothing at present."""

    in_memory: int  # readings that wait in memory
    reason: str


class BusDocument(Published, total=False):
    """What the reader of a bus publishes."""

    bus: str
    protocol: str  # its name in site.toml
    state: Required[str]  # of the port: "closed", "opening", "ready", "lost"
    port: str  # the device file; the adapter of site.toml while none is found
    error: str | None  # why the port is lost
    spool: SpoolDocument | None  # None while it takes readings
    sensors: dict[str, SensorDocument]
    line: LineDocument


class Hold(TypedDict):
    """Why the readings of a sensor wait in the spool."""

    reason: str
    next_try: int | None  # ms; None where somebody has to act first


class Slowed(TypedDict):
    """A sensor that is sent more slowly than it could be, because of the server's rate limit."""

    values_per_s: float
    since: int  # ms
    reason: str


class ClientCounters(TypedDict):
    """The CoAP clients of the uplink, added up."""

    requests: int  # each counted once
    responses: dict[ResponseCode, int]
    retransmissions: int
    timeouts: int  # requests that ended in silence
    lanes: int  # requests that may be in flight now
    srtt_s: float | None  # smoothed round trip, s; None before the first acknowledgement
    address: str | None  # of the server; None while there is no association


class UplinkDocument(Published, total=False):
    """What the uplink publishes."""

    state: Required[str]  # "idle", "up", "holding", "backing off"
    server: str  # host:port of site.toml
    last_success: int | None  # when the server last answered, ms
    last_error: str | None  # why every way to the server is down; None once one is up
    next_try: int | None  # ms; None unless every way is down
    delivered_per_s: float  # readings
    holds: dict[str, Hold]  # by sensor
    slowed: dict[str, Slowed]  # by sensor
    client: ClientCounters


class GatewayDocument(Published, total=False):
    """What the uplink publishes of the gateway's own device."""

    device: Required[str]  # its name
    last_success: int | None  # when its last report was accepted, ms; None before the first
    trouble: str | None  # why reports are not accepted, in a sentence; None while they are


class ClockDocument(TypedDict):
    """The server's time, which the uplink publishes where nothing else vouches for the clock."""

    boot_id: str  # the boot for which it holds, as the kernel names it
    offset_ns: int  # the start of that boot, ns since 1970 UTC
    source: str  # for people: which server, and how exactly
    accuracy_ms: NotRequired[int]  # ±


class Ledger(TypedDict):
    """What became of the readings: read = delivered + queued + expired + refused + dropped."""

    read: int
    delivered: int  # accepted by the server
    queued: int  # in the spool, to be delivered
    expired: int  # lost because the spool reached its limit
    refused: int  # kept apart, with the server's answer
    dropped: int  # not kept: full disk, damaged file, or by hand


class SensorStatus(SensorDocument, Ledger):
    """A sensor in `status --json`.

    `state`, `last_ts`, `last_values`, `timeouts`, `crc_errors`, `exceptions` and `late_replies` are always
    there. `state` may also be "not running" or "not configured".
    """

    bus: str | None  # None if it is no longer configured, but has readings in the spool


class PlacedReadings(TypedDict):
    """Readings of boots that never learned the time: their stamps are estimated."""

    readings: int
    from_ms: int
    to_ms: int


class ClockStatus(TypedDict):
    """The clock by which readings are stamped."""

    state: str  # a sentence: whose time it is, or what is missing
    source: str | None  # who vouches for the time; None if nobody does
    placed: PlacedReadings | None


class Status(TypedDict):
    """The document of `status --json`. Of a bus or uplink that is not running, `state` is "not running"."""

    version: str
    not_in_force: list[str]  # a sentence if site.toml was edited since the processes were started
    ledger: Ledger  # the sums over all sensors
    sensors: dict[str, SensorStatus]
    buses: dict[str, BusDocument]  # without `sensors`, which stand beside them
    uplink: UplinkDocument
    gateway: GatewayDocument | None  # None if it has no device of its own, or nothing was reported
    clock: ClockStatus
