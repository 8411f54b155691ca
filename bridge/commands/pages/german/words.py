"""States and counters in German: single words, or a few that stand for one."""

from __future__ import annotations

from typing import Final

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
    "not configured": "nicht eingerichtet",
    # of a finding
    "fault": "Fehler",
    "risk": "Risiko",
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
    "bus": "Bus",
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
    "turn-around": "Antwortzeit",
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
