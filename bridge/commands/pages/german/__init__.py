"""The sentences in German: those of the pages word for word, those of the classifier by their pattern.

A sentence of `bridge.causes` reaches a page already composed, with a detail in it. It is recognised by its
fixed parts, and said in German with the same detail. States and counters are single words, alone or in a line
of them. What has no German yet, such as doctor's findings and the doubts about a value, is shown as it is.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from bridge.causes import Cause, diagnosis

_CAUSES: Final[dict[Cause, tuple[str, str]]] = {
    Cause.PORT_HELD: ("wird von einem anderen Programm benutzt{}", "dieses beenden"),
    Cause.PORT_GONE: ("ist nicht da{}", "den Adapter einstecken"),
    Cause.PORT_PULLED: (
        "wurde abgezogen oder ist ausgefallen{}",
        "wieder einstecken; hat ihn niemand gezogen: serial-bridge doctor",
    ),
    Cause.PORT_FORBIDDEN: (
        "lässt sich nicht öffnen, Zugriff verweigert{}",
        "den Benutzer in die Gruppe des Geräts aufnehmen",
    ),
    Cause.PORT_FAILED: (
        "lässt sich nicht öffnen{}",
        "den Adapter abziehen, wieder einstecken, dann: journalctl -k",
    ),
    Cause.SILENT: (
        "antwortet nicht",
        "Versorgung prüfen, dann A und B (vertauscht?), Adresse, Baudrate und Parität im Handbuch",
    ),
    Cause.NOISE: (
        "ist nicht zu verstehen, die gehörten Oktette ergeben kein Telegramm",
        "Baudrate und Parität mit dem Handbuch vergleichen, dann fehlenden Abschluss und ein zweites Gerät "
        "mit dieser Adresse suchen",
    ),
    Cause.FRAMING: (
        "ist nicht zu verstehen, Oktetten fehlt das Stoppbit (Rahmenfehler des UART)",
        "Baudrate mit dem Handbuch vergleichen, dann Parität, A und B (vertauscht?) und Abschluss",
    ),
    Cause.PARITY: (
        "ist nicht zu verstehen, Oktette haben ein falsches Paritätsbit (Paritätsfehler des UART)",
        "Parität mit dem Handbuch vergleichen",
    ),
    Cause.DAMAGED: (
        "antwortet, aber die Prüfsumme ist falsch",
        "fehlenden Abschluss, losen Draht, Störungen suchen, dann ein zweites Gerät mit dieser Adresse",
    ),
    Cause.CUT: (
        "beginnt zu antworten und bricht ab",
        "losen Draht suchen; macht es Pausen in der Antwort, am Bus pause_within_reply setzen",
    ),
    Cause.OTHER_ADDRESS: (
        "antwortet nicht, aber eine andere Adresse",
        "die am Gerät eingestellte Adresse mit site.toml vergleichen",
    ),
    Cause.OTHER_REPLY: (
        "antwortet mit anderer Funktion oder Länge als gefragt",
        "Modell und Protokoll in site.toml mit dem Gerät vergleichen",
    ),
    Cause.ECHO: (
        "antwortet nicht, nur der Adapter hört sich selbst",
        "der Adapter arbeitet: Versorgung des Sensors prüfen, dann A und B (vertauscht?) und seine Adresse",
    ),
    Cause.LATE: (
        "antwortet langsam{}",
        "nichts ist einzustellen, es wird gewartet; kommen andere zu kurz, ein längeres every geben",
    ),
    Cause.TWO_DEVICES: (
        "wird doppelt beantwortet, von zwei Geräten mit dieser Adresse",
        "eines abklemmen und ihm eine eigene Adresse geben",
    ),
    Cause.OTHER_MASTER: (
        "teilt die Leitung mit einem anderen Master, der andere Geräte fragt",
        "den anderen Master abschalten: nur einer darf auf einer Leitung fragen",
    ),
    Cause.LOUD: (
        "kann nicht gefragt werden, weil die Leitung nicht still wird",
        "einen anderen Master suchen, oder ein Gerät, das nicht aufhört",
    ),
    Cause.NOT_HEARD: (
        "ist nicht zu hören",
        "Versorgung prüfen, dann Verdrahtung (RX und TX, A und B), dann Leitungseinstellungen",
    ),
    Cause.NOT_OVERHEARD: (
        "ist nicht zu hören, keine Antwort an den Master dieser Leitung ist lesbar",
        "prüfen, ob der Master fragt, dann Adresse, Leitungseinstellungen, A und B",
    ),
    Cause.OTHER_ID: ("ist nicht zu hören, andere Sensoren schon{}", "seine id in site.toml vergleichen"),
    Cause.HELD: (
        "wurde nicht gefragt, weil eine frühere Antwort für die neue gelten könnte",
        "warten, es wird von selbst wieder gefragt",
    ),
    Cause.NO_FUNCTION: (
        "verweigert {}",
        "diese Tabelle hat es nicht: input statt holding nehmen, oder umgekehrt",
    ),
    Cause.NO_ADDRESS: (
        "verweigert {}",
        "ist das Register input oder holding, und zählt sein Handbuch ab 0 oder ab 1?",
    ),
    Cause.NO_VALUE: (
        "verweigert {}",
        "es verträgt wohl nicht so viele Register auf einmal: max_registers setzen, oder Handbuch lesen",
    ),
    Cause.FAILURE: ("verweigert {}", "seine Anzeige oder sein Protokoll ansehen, dann aus- und einschalten"),
    Cause.BUSY: ("verweigert {}", 'es wird zu schnell gefragt: gap = "100ms" geben, oder ein längeres every'),
    Cause.UNREACHABLE: (
        "verweigert {}",
        "das Gateway davor antwortet: Versorgung, Verdrahtung und Adresse des Geräts dahinter prüfen",
    ),
    Cause.REFUSED: ("verweigert {}", "den Grund im Handbuch nachsehen"),
    Cause.NONSENSE: ("antwortet ohne Sinn{}", "Modell oder Register mit dem Handbuch vergleichen"),
    Cause.FAILED: (
        "kann nicht gelesen werden, sein Protokoll ist gescheitert{}",
        "mit dem Protokoll des Dienstes melden; es wird in wachsenden Abständen wieder versucht",
    ),
}

_MARK: Final = "\N{OBJECT REPLACEMENT CHARACTER}"


def translated(sentence: str) -> str:
    """Return a sentence of the classifier in German, whatever stands before it; another one as it is."""
    for pattern, german in _patterns():
        if match := pattern.search(sentence):
            detail = match["detail"] if "detail" in pattern.groupindex else ""
            return f"{sentence[: match.start()]}{german.replace('{}', detail, 1)}{sentence[match.end() :]}"
    return sentence


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Return for each cause what its English looks like and its German, the longest English first."""
    patterns = []
    for cause, (observation, step) in _CAUSES.items():
        english = re.escape(str(diagnosis(cause, _MARK)))
        detail = re.escape(f" ({_MARK})")
        english = english.replace(detail, r"(?P<detail> \(.*?\)|)").replace(_MARK, r"(?P<detail>.*?)")
        patterns.append((re.compile(english), f"{observation}: {step}"))
    return sorted(patterns, key=lambda pair: -len(pair[0].pattern))


WORDS: Final[dict[str, str]] = {
    # states of a sensor
    "failed": "gescheitert",
    "silent": "stumm",
    "no port": "ohne Anschluss",
    "refusing": "verweigert",
    "partly": "teilweise",
    "not running": "läuft nicht",
    "waiting": "wartet",
    "waiting for the first answer": "wartet auf die erste Antwort",
    "never": "noch nie",
    "held": "zurückgehalten",
    "slow": "langsam",
    "slowed": "gebremst",
    # of a port
    "closed": "geschlossen",
    "opening": "wird geöffnet",
    "ready": "bereit",
    "lost": "verloren",
    # of the uplink
    "idle": "ruht",
    "up": "verbunden",
    "holding": "hält zurück",
    "backing off": "wartet vor dem nächsten Versuch",
    # of the books
    "sensors": "Sensoren",
    "uplink": "Uplink",
    "ledger": "Bücher",
    "read": "gelesen",
    "delivered": "zugestellt",
    "queued": "wartend",
    "expired": "verfallen",
    "refused": "abgelehnt",
    "dropped": "verworfen",
    # of a line
    "requests": "Anfragen",
    "replies": "Antworten",
    "telegrams": "Telegramme",
    "timeouts": "ohne Antwort",
    "crc errors": "Prüfsummenfehler",
    "exceptions": "Ablehnungen",
    "late replies": "späte Antworten",
    "missed slots": "versäumte Termine",
    "incomplete": "unvollständig",
    "empty": "leer",
    "foreign frames": "fremde Telegramme",
    "stray octets": "verirrte Oktette",
    "echoes": "Echos",
    "frames": "Rahmen",
    "nonsense": "unsinnig",
}

_WORD: Final = re.compile(r"\b(?:" + "|".join(sorted(WORDS, key=len, reverse=True)) + r")\b")


def in_words(line: str) -> str:
    """Return a state, the name of a counter or a line of such in German; what is none of them stays."""
    return _WORD.sub(lambda word: WORDS[word[0]], line)


GERMAN: Final[dict[str, str]] = {
    "Site report": "Anlagenbericht",
    "State of": "Stand vom",
    "Version": "Version",
    "Server": "Server",
    "Clock": "Uhr",
    "Configuration": "Konfiguration",
    "Open troubles": "Offene Störungen",
    "No open trouble.": "Keine offene Störung.",
    "Delivered": "Zugestellt",
    "The books balance.": "Die Bücher gehen auf.",
    "The books do not balance": "Die Bücher gehen nicht auf",
    "Buses": "Busse",
    "Bus": "Bus",
    "Protocol": "Protokoll",
    "Line": "Leitung",
    "Adapter": "Adapter",
    "Device": "Gerät",
    "State": "Zustand",
    "Sensors": "Sensoren",
    "Sensor": "Sensor",
    "Address": "Adresse",
    "Model": "Modell",
    "Evidence": "Beleg",
    "Last reading": "Letzte Messung",
    "Values": "Werte",
    "Value": "Wert",
    "Count": "Anzahl",
    "Readings": "Messungen",
    "Name": "Name",
    "no values": "keine Werte",
    "Last 24 hours": "Letzte 24 Stunden",
    "Last hour": "Letzte Stunde",
    "No history yet: a bucket takes five minutes.": "Noch kein Verlauf: ein Abschnitt dauert fünf Minuten.",
    "Turn-around, ms": "Antwortzeit, ms",
    "Errors, % of requests": "Fehler, % der Anfragen",
    "Lateness, ms": "Verspätung, ms",
    "median": "Median",
    "99 of 100 within": "99 von 100 binnen",
    "errors": "Fehler",
    "h ago": "h vorher",
    "newest": "neuester",
    "To the content": "Zum Inhalt",
    "Pages": "Seiten",
    "Site": "Anlage",
    "Uplink": "Uplink",
    "Scan": "Suche",
    "Doctor": "Diagnose",
    "End this session": "Sitzung beenden",
    "Report for the hand-over": "Bericht für die Übergabe",
    "Try now": "Jetzt versuchen",
    "Last states": "Letzte Zustände",
    "It answers.": "Es antwortet.",
    "Raw": "Roh",
    "On the wire": "Auf der Leitung",
    "Share of the wire": "Anteil der Leitung",
    "Heard, not configured": "Gehört, nicht eingerichtet",
    "Last answer": "Letzte Antwort",
    "Round trip": "Umlaufzeit",
    "Spool": "Zwischenspeicher",
    "Asks the usual addresses that are not configured, between the polls of the bus. "
    "Nothing is written to any device.": "Fragt die üblichen Adressen, die nicht eingerichtet sind, zwischen "
    "den Abfragen des Busses. In kein Gerät wird geschrieben.",
    "Start": "Beginnen",
    "It goes on.": "Sie läuft.",
    "Look again": "Wieder nachsehen",
    "Download what was found": "Gefundenes herunterladen",
    "What runs is what the file says.": "Was läuft, ist, was die Datei sagt.",
    "Nothing wrong was found.": "Nichts Falsches gefunden.",
    "More, with the way to the server": "Mehr, mit dem Weg zum Server",
    "Pair this browser": "Diesen Browser koppeln",
    "Too many wrong codes: wait five minutes.": "Zu viele falsche Codes: fünf Minuten warten.",
    "This code is wrong, used or too old: ask for a new one.": "Der Code ist falsch, verbraucht oder zu alt: "
    "einen neuen holen.",
    "On the gateway": "Am Gateway",
    "Code of eight digits": "Code aus acht Ziffern",
    "Pair": "Koppeln",
    "Place, date, signature": "Ort, Datum, Unterschrift",
}
