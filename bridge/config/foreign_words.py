"""The words of other programs for what site.toml says: `baudrate`, `slave_id`, `scan_interval` and the like.

An installer knows a Modbus master, a SCADA system or a home automation, and writes what that calls a thing.
So a key that is not known here is looked up in the words of those programs, and the message shows the line to
write instead, with the value that stands there already:

    site.toml:7: bus.meters.baudrate: unknown key; write line = "19200 8E1"

A word can mean several things: `device` is a port in a bus and a name in a sensor. The first meaning counts
whose key the table may have, else the first whose key has its place elsewhere. Registers have words of their
own, in `protocols.modbus.foreign_words`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge.config.quantities import Duration
from bridge.config.wording import value_text

Table = Mapping[str, Any]
_Advice = Callable[[str, Table], str]  # of a word and the table in which it stands

_BAUDRATES: Final = ("baudrate", "baud", "bauds", "speed", "bitrate")
_PARITIES: Final = ("parity", "paritybit")
_STOP_BITS: Final = ("stopbits", "stopbit", "stop")
_DATA_BITS: Final = ("bytesize", "databits", "charactersize")
_LEAST_MS: Final = 31  # a time-out without a unit is in seconds up to 30, in milliseconds above
_THOUSAND: Final = 1000
_PARITY_LETTERS: Final = {"n": "N", "e": "E", "o": "O", "g": "E", "u": "O", "0": "N", "1": "O", "2": "E"}
_LINE_PARTS: Final = re.compile(r"\s*([0-9]{2,7})?\W*(?:baud|bps|bd)?\W*(.*)", re.IGNORECASE | re.DOTALL)
_FORMAT: Final = re.compile(r"([78])\W*([A-Za-z])[A-Za-z]*\W*([12])|([A-Za-z])[A-Za-z]*\W*([78])\W*([12])")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word of another program means here.

    Attributes:
        key: the key that says it in site.toml.
        advice: what to write, or where.
    """

    key: str
    advice: str


def meaning(word: str, table: Table, known_keys: Collection[str], homes: Collection[str]) -> Meaning | None:
    """Return what an unknown key means; None if it is no word that other programs use.

    Args:
        word: the key as it stands.
        table: the table in which it stands.
        known_keys: the keys that the table may have.
        homes: the keys that have their place in another table.
    """
    meanings = _WORDS.get(_plain(word), ())
    for place in (known_keys, _OF_BUSES & set(homes), _ELSEWHERE):
        for key, advice in meanings:
            if key in place:
                is_table = isinstance(table[word], Mapping | list) and key in _OF_TABLES
                return Meaning(key, f"did you mean {key}?" if is_table else advice(word, table))
    return None


def line_text(text: str) -> str | None:
    """Return line settings in another notation ("9600,8,N,1", "8N1 9600") as site.toml writes them."""
    reversed_parts = re.fullmatch(r"\s*([78]\s*[A-Za-z]\s*[12])\W+([0-9]{3,7})\s*", text)
    if reversed_parts:
        text = f"{reversed_parts[2]} {reversed_parts[1]}"
    parts = _LINE_PARTS.fullmatch(text)
    character = _FORMAT.fullmatch(parts[2].strip()) if parts and parts[1] else None
    if parts is None or character is None:
        return None
    bits, parity, stop = (
        character[1] or character[5],
        character[2] or character[4],
        character[3] or character[6],
    )
    letter = _PARITY_LETTERS.get(parity.lower())
    return f"{parts[1]} {bits}{letter}{stop}" if letter else None


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _first(table: Table, words: Collection[str]) -> Any:
    """Return the value of the first of these words that stands in a table; None if none does."""
    return next((value for key, value in table.items() if _plain(key) in words), None)


def _line(_: str, table: Table) -> str:
    """Return the line settings that several words of a table say together, and its `line` what they leave."""
    written = re.fullmatch(r"\s*(\d+)?\s*(?:([78])([NEOneo])([12]))?\s*", str(table.get("line", "")))
    baudrate = _first(table, _BAUDRATES) or (written and written[1]) or "BAUDRATE"
    parity = _PARITY_LETTERS.get(
        str(_first(table, _PARITIES) or (written and written[3]) or "N")[:1].lower(), "N"
    )
    bits = _first(table, _DATA_BITS) or (written and written[2]) or 8
    stop_bits = _first(table, _STOP_BITS) or (written and written[4]) or 1
    return f'write line = "{baudrate} {bits}{parity}{stop_bits}"'


def _port(word: str, table: Table) -> str:
    port = str(table[word])
    if re.fullmatch(r"(?i)com\d+|auto|usb", port):
        return "write adapter = …, and find it with: serial-bridge enroll"
    if re.fullmatch(r"tty\w+", port):
        port = f"/dev/{port}"
    return f"write adapter = {value_text(port)}"


def _address(word: str, table: Table) -> str:
    value = table[word]
    number = int(value, 0) if isinstance(value, str) and _is_whole(value) else value
    return f"write address = {value_text(number)}"


def _duration(key: str) -> _Advice:
    def advice(word: str, table: Table) -> str:
        return f'write {key} = "{_duration_text(_plain(word), table[word])}"'

    return advice


def _duration_text(word: str, value: object) -> str:
    """Return a duration with its unit, where the word or the size of the number tells which it is."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value) if isinstance(value, str) else "10s"
    is_in_ms = word.endswith(("ms", "millis", "milliseconds")) or (
        value >= _LEAST_MS if "timeout" in word or "delay" in word else value and not value % _THOUSAND
    )
    return Duration("1ms", "168h").written(value / 1000 if is_in_ms else value)


def _value_of(key: str) -> _Advice:
    return lambda word, table: f"write {key} = {value_text(table[word])}"


def _text_of(key: str) -> _Advice:
    return lambda word, table: f"write {key} = {value_text(str(table[word]))}"


def _url(_: str, table: Table) -> str:
    host = _first(table, ("host", "hostname", "server", "broker", "address", "ip")) or "tb.example.com"
    port = _first(table, ("port",))
    host = str(host).rpartition("://")[2]
    return f'write url = "coap://{host}{f":{port}" if port not in (None, 1883, 8883, 80, 443, 8080) else ""}"'


def _protocol(word: str, table: Table) -> str:
    name = str(table[word]).lower()
    mode = re.search("rtu|ascii", name)
    return f'write protocol = "{f"modbus-{mode[0]}" if mode else name}"'


def _say(sentence: str) -> _Advice:
    return lambda word, table: sentence


def _is_whole(text: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]*|0|0[xX][0-9A-Fa-f]+", text) is not None


_TOKEN = "credentials"  # noqa: S105 — a place, not a secret
_ELSEWHERE: Final = frozenset({_TOKEN})
_OF_TABLES: Final = frozenset({"registers", "sensor"})  # what stands there may be right, but for its name
_OF_BUSES: Final = frozenset({"adapter", "line", "protocol"})  # looked for in sensors, and not meant there
_REGISTERS: Final = _say("each value is an entry of registers, for example: voltage = { input = 0 }")
_TOKENS: Final = _say("tokens stand in credentials.toml, by the name of the sensor")
_SENSORS: Final = _say("write each sensor as a block of its own: [[bus.NAME.sensor]]")
_MEANINGS: Final[tuple[tuple[str, _Advice, str], ...]] = (
    ("line", _line, " ".join((*_BAUDRATES, *_PARITIES, *_STOP_BITS, *_DATA_BITS))),
    ("adapter", _port, "port device dev tty serial serialport interface com comport path usb devicepath"),
    ("address", _address, "slave slaveid slaveaddress slavenumber unit unitid unitaddress node nodeid id"),
    ("address", _address, "deviceid deviceaddress server serverid"),
    ("address", _address, "station stationid stationaddress modbusid modbusaddress addr"),
    ("name", _text_of("name"), "device devicename label title sensorname tag alias"),
    ("every", _duration("every"), "interval scaninterval pollinterval pollperiod period polling"),
    ("every", _duration("every"), "cycle cycletime updateinterval updateperiod scanrate pollrate poll"),
    ("every", _duration("every"), "intervalms pollms pollperiodms sampleinterval readinterval"),
    ("reply_timeout", _duration("reply_timeout"), "timeout responsetimeout timeoutms readtimeout"),
    ("retries", _value_of("retries"), "retry maxretries retrycount attempts numretries retryonempty"),
    ("gap", _duration("gap"), "delay interframedelay delaybetweenpolls messagewaitms waittime pause delayms"),
    ("model", _text_of("model"), "devicetype template profile devicemodel type metertype"),
    ("protocol", _protocol, "type mode method driver transport framer"),
    ("url", _url, "host hostname server broker address ip port"),
    ("site", _text_of("site"), "name sitename gateway gatewayname location title"),
    ("registers", _REGISTERS, "register function functioncode values value points datapoints timeseries"),
    ("registers", _REGISTERS, "attributes holding input coil discrete modicon datatype channels tags"),
    ("sensor", _SENSORS, "sensors device devices slaves slave meters units nodes equipment"),
    ("thingsboard", _say("the server's table is [thingsboard]"), "server mqtt coap connection broker"),
    ("bus", _say("a bus is a table of its own: [bus.NAME]"), "buses serial port ports modbus rtu rs485"),
    ("bus", _say("sensors stand below their bus: [[bus.NAME.sensor]]"), "sensor sensors devices device"),
    ("spool", _say("the table of what waits is [spool]"), "storage database buffer queue cache"),
    (_TOKEN, _TOKENS, "token accesstoken password key devicetoken credentials apikey"),
)  # fmt: skip
_WORDS: Final[dict[str, list[tuple[str, _Advice]]]] = {}
for _key, _advice, _words in _MEANINGS:
    for _word in _words.split():
        _WORDS.setdefault(_word, []).append((_key, _advice))
