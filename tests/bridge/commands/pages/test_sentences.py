"""The catalogue of German sentences against the sources: what a page may show has its German."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.causes import Cause, diagnosis
from bridge.clock.clock import MISSING
from bridge.commands.pages.german import GERMAN, SENTENCES, WORDS, translated
from bridge.reader.doubt import doubts, explained
from protocols.modbus.models.evidence import GRADES
from tests.support.sentences import sentences

ROOT = Path(__file__).parents[4]
SOURCES = (
    "bridge/commands/doctor/clock.py",
    "bridge/commands/doctor/conflicts.py",
    "bridge/commands/doctor/kernel_log.py",
    "bridge/commands/doctor/port.py",
    "bridge/commands/doctor/sensors.py",
    "bridge/commands/doctor/spool.py",
    "bridge/commands/doctor/usb.py",
    "bridge/commands/terminal/in_force.py",
    "bridge/commands/status/sentences.py",
    "bridge/clock/clock.py",
    "bridge/clock/kernel_clock.py",
    "bridge/port/adapter.py",
    "bridge/port/identity.py",
    "bridge/port/serial_device.py",
    "bridge/port/port.py",
    "bridge/reader/attempt.py",
    "bridge/reader/doubt.py",
    "bridge/reader/group.py",
    "bridge/reader/learning.py",
    "bridge/reader/lending.py",
    "bridge/reader/reader.py",
    "bridge/reader/searching.py",
    "bridge/reader/shortfall.py",
    "protocols/modbus/absence.py",
    "bridge/thingsboard/answer.py",
    "bridge/errors.py",
    "bridge/coap/errors.py",
    "bridge/coap/dtls.py",
    "bridge/coap/trust.py",
    "bridge/uplink/beside_readings.py",
    "bridge/uplink/drain.py",
    "bridge/uplink/gateway_device.py",
    "bridge/uplink/server_time.py",
    "bridge/uplink/service.py",
    "bridge/spool/database.py",
    "bridge/commands/scan/service.py",
    "bridge/commands/scan/text.py",
    "bridge/commands/report/content.py",
    "bridge/commands/try_/borrowed.py",
    "bridge/commands/web/app.py",
    "bridge/commands/web/guard.py",
    "bridge/commands/web/scanning.py",
)
"""The modules whose sentences reach a page."""

NOT_SHOWN = {
    "bridge/commands/doctor/kernel_log.py": r"(the )?kernel log",  # what was not seen is on no page
    "bridge/commands/doctor/port.py": "which programs of other users .*",
    "bridge/commands/doctor/spool.py": r"the spool \{\}",
    "bridge/commands/report/content.py": r"read \{\} = ",  # said word by word
    "bridge/commands/status/sentences.py": r"bold red|\{\} sensors: .*|ledger: .*",  # said word by word
    "bridge/clock/clock.py": ".*%.*",  # a log's
    "bridge/reader/attempt.py": "no query: .*",  # to a program
    "bridge/reader/lending.py": r"bus \{\}: bus ",  # to be taken away
    "bridge/reader/searching.py": "no query: .*|load the search of .*",
    "bridge/reader/reader.py": r"find \{\}",  # the name of a thread
    "protocols/modbus/absence.py": "7fc00000 .*|each of its places was read",
    "bridge/thingsboard/answer.py": (  # the meaning of each decision; reasons of the refused
        "(one of these|this reading (alone )?is|the credential|the message is|the link|a fresh|"
        "reading after|it holds no|its value) .*|delivered: .*"
    ),
    "bridge/coap/trust.py": "(internal|user|close|certificate verify|alert|it gives) .*",  # OpenSSL's
    "bridge/uplink/server_time.py": "the server does not tell .*|.*%.*",
    "bridge/spool/database.py": "BEGIN IMMEDIATE",
    "bridge/commands/web/app.py": r"(?s)web:? .*|attachment.*|data: .*",  # to the audit log; to no page
    "bridge/commands/web/guard.py": "(default-src|camera=).*",
    "bridge/commands/web/scanning.py": r"\{\}, \{\} found|goes on",  # a mark for the script
}
"""What stands in them besides, and is on no page."""

COMPOSED = {
    "{grade}: {evidence}",
    *GRADES.values(),
    "next: {step}",
    "once",
    "{age} ago",
    "{sensor} does not give {lacking}",
    "bus {bus}: {state}, {error}",
    "clock: {clock}",
    "uplink: {state}{error}{since}",
    "uplink: {state}, {error}, last answer {age} ago",
    "waits: {reason}",
    "{sensor}: {state}",
    "{sensor} slowed to {rate} values/s since {since}: {reason}",
    "{waiting}; {missing}",
    "disk full",
    "end and start: serial-bridge run{site}",
    "not a number",
    "with {change} it would be {value}, {other}",
    "{device_file} and {other_file}",
    "{key} {value} is implausible; {other}",
    "{line} address {address}: {what}",
    "{path} cannot be opened: is it there, and yours? ({error})",
    "{path} cannot be used at the moment ({error})",
    "{path} cannot be used: not yours ({error})",
    "{path} cannot be written: read-only, or not yours ({error})",
    "{path} could not be read or written: the disk fails ({error})",
    "{path} fails: {error}",
    "{path} was locked for {limit} s by another process ({error})",
}
"""Sentences that the sources put together from several, or take from other modules."""


def fixed(english: str) -> str:
    """A sentence of the catalogue as the sources have it, its places without names."""
    return re.sub(r"\{\w+\}", "{}", english)


@pytest.mark.parametrize("source", SOURCES)
def test_each_sentence_of_a_source_has_its_german(source: str) -> None:
    known = {fixed(english) for english in SENTENCES} | WORDS.keys() | GERMAN.keys()
    for text in sentences(ROOT / source):
        is_shown = not re.fullmatch(NOT_SHOWN.get(source, "-"), text)
        assert not is_shown or text in known or any(text in english for english in known), text


def test_no_sentence_has_german_that_no_source_says() -> None:
    said = {text for source in SOURCES for text in sentences(ROOT / source)}
    assert {english for english in SENTENCES if fixed(english) not in said} == COMPOSED


@pytest.mark.parametrize("english", SENTENCES)
def test_the_german_of_a_sentence_has_the_same_places(english: str) -> None:
    assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", SENTENCES[english]))


FORBIDDEN = diagnosis(Cause.PORT_FORBIDDEN, "to user anna", "it is for group tty")
ENGLISH = re.compile(r"\b(the|is|are|not|its|and|with|of|for|it|which|has)\b")


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            f"the clock is not synchronized: {MISSING}",
            "die Uhr ist nicht synchronisiert: nichts hat sie synchronisiert, keine RTC hat "
            "sie gestellt, und "
            "der Server hat die Zeit nicht gesagt; bis dahin warten Messungen im Zwischenspeicher: NTP "
            "durchlassen (UDP-Port 123), den Server verbinden, oder die Uhr stellen und [clock] trust = "
            '"system" schreiben',
        ),
        (
            "USB socket 1-1.2: its adapter was reset 4 times within a day, last 12 min ago; if nobody pulled "
            "it, try another cable, a powered hub, more distance from power lines",
            "USB-Buchse 1-1.2: ihr Adapter wurde zurückgesetzt, 4-mal binnen eines Tages, "
            "zuletzt vor 12 min; "
            "hat ihn niemand gezogen: anderes Kabel, Hub mit Netzteil oder mehr Abstand zu "
            "Starkstromleitungen versuchen",
        ),
        (
            "the spool holds 91 % of its limit of 1GB: beyond it the oldest readings expire, "
            "17 have; see why "
            "they are not delivered",
            "der Zwischenspeicher ist zu 91 % seiner Grenze von 1GB voll: darüber verfallen die ältesten "
            "Messungen, 17 sind es schon; nachsehen, warum sie nicht zugestellt werden",
        ),
        (
            f"bus meters: /dev/ttyUSB0 {FORBIDDEN}",
            "Bus meters: /dev/ttyUSB0 lässt sich nicht öffnen, Zugriff verweigert (für "
            "Benutzer anna): es ist "
            "für die Gruppe tty",
        ),
        (
            f"bus meters: lost, /dev/ttyUSB0 {diagnosis(Cause.PORT_GONE)}",
            "Bus meters: verloren, /dev/ttyUSB0 ist nicht da: den Adapter einstecken",
        ),
        (
            "/dev/ttyUSB0 and /dev/ttyUSB1 have the same serial number A1: only their USB sockets tell them "
            "apart",
            "/dev/ttyUSB0 und /dev/ttyUSB1 haben dieselbe Seriennummer A1: nur ihre "
            "USB-Buchsen unterscheiden "
            "sie",
        ),
        (
            "uplink: backing off, tb:5683 refused: check the port and that ThingsBoard's CoAP transport runs "
            "there, last answer 5 min ago",
            "Uplink: wartet vor dem nächsten Versuch, tb:5683 lehnt ab: den Port prüfen, und ob dort der "
            "CoAP-Transport von ThingsBoard läuft, letzte Antwort vor 5 min",
        ),
        (
            "soil waits: the server does not know its access token (4.01): compare credentials.toml with the "
            "device",
            "soil wartet: der Server kennt sein Token nicht (4.01): credentials.toml mit dem "
            "Gerät vergleichen",
        ),
        ("boiler: 3 expired, 1 refused", "boiler: 3 verfallen, 1 abgelehnt"),
        (
            "site.toml was edited at 12:30 and is not in force (bus meters, uplink): sudo "
            "serial-bridge install",
            "site.toml wurde um 12:30 geändert und gilt noch nicht (Bus meters, Uplink): sudo serial-bridge "
            "install",
        ),
        (
            "meters: 1 device answers, 2 more heard; 24 octets sent in 3 s, nothing was "
            "written to any device",
            "meters: 1 Gerät antwortet, 2 weitere gehört; 24 Oktette gesendet in 3 s, in kein Gerät wurde "
            "geschrieben",
        ),
        ("address 3–6          29%, at most 19 s left", "Adresse 3–6          29%, höchstens noch 19 s"),
        (
            "9600 8N1  modbus-rtu address 3: answers, model unknown",
            "9600 8N1  modbus-rtu Adresse 3: antwortet, Modell unbekannt",
        ),
    ],
)
def test_a_sentence_is_said_in_german_with_its_values(english: str, german: str) -> None:
    assert translated(english) == german


@pytest.mark.parametrize("grade", GRADES)
def test_the_evidence_of_a_model_is_said_in_german(grade: str) -> None:
    assert translated(f"{grade}: {GRADES[grade]}") not in (f"{grade}: {GRADES[grade]}", "")


def test_doubts_and_missing_values_are_said_in_german() -> None:
    other = [("order = CDAB", 21.5), ('type = "int16"', 23.0)]
    doubt = doubts({"temperature": 6.1e18}, {"temperature": "°C"}, lambda key: other)["temperature"]
    assert translated(doubt) == (
        'temperature 6.1e+18 °C ist unglaubhaft; mit order = CDAB wäre es 21.5, mit type = "int16" wäre es 23'
    )
    plain = doubts({"humidity": 900.0}, {"humidity": "%"})["humidity"]
    assert translated(plain) == (
        "humidity 900 % ist unglaubhaft; Register, type, order und Skalierung mit dem Handbuch vergleichen"
    )
    (reason,) = explained({"t": "not a number (raw FFC0)"}, {"t": "°C"}, lambda key: other[:1]).values()
    trouble = f"does not give t ({reason}), u (the device has none (raw 7FC0)); {plain}; {doubt}"
    german = translated(f"cold-room {trouble}")
    assert not ENGLISH.search(german), german
    assert "keine Zahl (roh FFC0); mit order = CDAB wäre es 21.5" in german
    assert "das Gerät hat keinen Wert (roh 7FC0)" in german
