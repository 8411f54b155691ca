"""What a reader says of a sensor besides the causes: missing values, doubts, what it learned; in German."""

from __future__ import annotations

from typing import Final

READING: Final[dict[str, str]] = {
    "{key} {value} is implausible; {other}": "{key} {value} ist unglaubhaft; {other}",
    "compare its register, type, order and scale with the manual": (
        "Register, type, order und Skalierung mit dem Handbuch vergleichen"
    ),
    "says nothing but 0: if that cannot be, is the register input or holding, and does its manual "
    "count from 0 or from 1?": (
        "sagt nur 0: kann das nicht sein, ist das Register input oder holding, und zählt sein Handbuch "
        "ab 0 oder ab 1?"
    ),
    "with {change} it would be {value}": "mit {change} wäre es {value}",
    "does not give {lacking}": "liefert nicht: {lacking}",
    "not asked for in this poll": "in dieser Abfrage nicht gefragt",
    "its scale is not implemented (raw {raw})": "sein Skalierungsregister hat keinen Wert (roh {raw})",
    "the device has none (raw {raw})": "das Gerät hat keinen Wert (roh {raw})",
    "{value} is below min = {least}": "{value} liegt unter min = {least}",
    "{value} is above max = {most}": "{value} liegt über max = {most}",
    "answers slowly, after {slowest} s at the slowest: waited for up to {wait} s, where reply_timeout "
    "says {limit} s": (
        "antwortet langsam, spätestens nach {slowest} s: gewartet wird bis zu {wait} s, wo "
        "reply_timeout {limit} s sagt"
    ),
    "answers within {slowest} ms: waited for {wait} ms, where reply_timeout says {limit} s": (
        "antwortet binnen {slowest} ms: gewartet wird {wait} ms, wo reply_timeout {limit} s sagt"
    ),
    "waited for up to {wait} s, where reply_timeout says {limit} s": (
        "gewartet wird bis zu {wait} s, wo reply_timeout {limit} s sagt"
    ),
    "left its last request unanswered: asked once a poll until it answers": (
        "ließ die letzte Anfrage unbeantwortet: gefragt wird einmal je Abfrage, bis es antwortet"
    ),
    "not asked for {keys} ({reason}), but again at growing distances, up to an hour": (
        "nicht gefragt nach {keys} ({reason}); wieder in wachsenden Abständen, bis zu einer Stunde"
    ),
    "the device hung up": "das Gerät hat aufgelegt",
    "it is not a serial device": "es ist kein serielles Gerät",
    "compare the adapter of the bus": "den Adapter des Busses vergleichen",
    "add the user to group {group}": "den Benutzer in die Gruppe {group} aufnehmen",
    "process {processes}": "Prozess {processes}",
    "read failed: {error}": "Lesen gescheitert: {error}",
    "open {path}": "{path} öffnen",
    "set {path}": "{path} einstellen",
    "it takes no output": "es nimmt keine Ausgabe an",
    "not within {limit} s": "nicht binnen {limit} s",
    "{port} is being opened": "{port} wird geöffnet",
    "with {change} it would be {value}, {other}": "mit {change} wäre es {value}, {other}",
    "{reason} (raw {raw})": "{reason} (roh {raw})",
    "not a number": "keine Zahl",
    "{port} belongs to another master: nothing is sent on it": (
        "{port} gehört einem anderen Master: darauf wird nichts gesendet"
    ),
    "it hangs": "es hängt",
    "{port} is not open": "{port} ist nicht offen",
    "bus {bus} only listens (listen = true), so nothing is asked on it: `serial-bridge status` shows "
    "what its master reads": (
        "Bus {bus} hört nur zu (listen = true), also wird nichts gefragt: `serial-bridge status` "
        "zeigt, was sein Master liest"
    ),
    "the sensors of bus {bus} send by themselves: nobody is asked": (
        "die Sensoren von Bus {bus} senden von selbst: keiner wird gefragt"
    ),
    'the system did not say within {limit} s where adapter "{adapter}" is: see its log: journalctl -k': (
        'das System sagte nicht binnen {limit} s, wo der Adapter "{adapter}" ist: sein Protokoll '
        "ansehen: journalctl -k"
    ),
    "{place} on bus {bus} at {line} {reason}": "{place} an Bus {bus} mit {line} {reason}",
    "{sensor} cannot be asked: {error}": "{sensor} kann nicht gefragt werden: {error}",
    "{sensor} (address {address})": "{sensor} (Adresse {address})",
    "bus {bus} is in service as {protocol} at {line}, and site.toml has {other} at {other_line}: put "
    "the edit in force first, with: sudo serial-bridge install": (
        "Bus {bus} ist als {protocol} mit {line} in Betrieb, und in site.toml steht {other} mit "
        "{other_line}: erst die Änderung in Kraft setzen: sudo serial-bridge install"
    ),
    "{sensor} does not give {lacking}": "{sensor} liefert nicht: {lacking}",
}
