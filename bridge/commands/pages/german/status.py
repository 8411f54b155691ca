"""What `status` says of buses, spool, uplink and clock, and what is not in force; in German."""

from __future__ import annotations

from typing import Final

STATUS: Final[dict[str, str]] = {
    "slowed to {rate} values/s since {since}: {reason}": "gebremst auf {rate} Werte/s seit {since}: {reason}",
    "waiting for the first answer, {waited} s": "wartet auf die erste Antwort, {waited} s",
    "waits: {reason}": "wartet: {reason}",
    "{age} ago": "vor {age}",
    "bus {bus}: {state}": "Bus {bus}: {state}",
    "bus {bus} {sentence}": "Bus {bus} {sentence}",
    "bus {bus}: {reason}, {count} readings in memory": "Bus {bus}: {reason}, {count} Messungen im Speicher",
    "heard, not configured: {sender} ({telegrams})": "gehört, nicht eingerichtet: {sender} ({telegrams})",
    "a sensor without id": "ein Sensor ohne id",
    "{count} telegrams: {values}": "{count} Telegramme: {values}",
    "{count} values left out that ThingsBoard cannot store as numbers (2^63 or beyond)": (
        "{count} Werte weggelassen, die ThingsBoard nicht als Zahlen speichern kann (2^63 oder mehr)"
    ),
    "{sensor} waits: {reason}": "{sensor} wartet: {reason}",
    "{sensor} slowed to {rate} values/s since {since}: {reason}": (
        "{sensor} gebremst auf {rate} Werte/s seit {since}: {reason}"
    ),
    "gateway {device} reports nothing: {trouble}": "Gateway {device} meldet nichts: {trouble}",
    "{count} readings of a boot that never knew the time were placed between {begin} and {end}": (
        "{count} Messungen eines Starts ohne bekannte Zeit wurden zwischen {begin} und {end} eingeordnet"
    ),
    "uplink: {state}{error}{since}": "Uplink: {state}{error}{since}",
    ", last answer {age} ago": ", letzte Antwort vor {age}",
    "nothing synchronized it, no RTC set it, and the server did not tell it; until then readings wait "
    "in the spool: let NTP through (UDP port 123) or connect the server, or set the clock and write "
    '[clock] trust = "system"': (
        "nichts hat sie synchronisiert, keine RTC hat sie gestellt, und der Server hat die Zeit nicht "
        "gesagt; bis dahin warten Messungen im Zwischenspeicher: NTP durchlassen (UDP-Port 123), den "
        'Server verbinden, oder die Uhr stellen und [clock] trust = "system" schreiben'
    ),
    "going on from the last trusted time: the system clock shows {date}": (
        "läuft von der letzten vertrauten Zeit weiter: die Systemuhr zeigt {date}"
    ),
    "waiting for the time: the system clock shows {date}": "wartet auf die Zeit: die Systemuhr zeigt {date}",
    "the last trusted time": "die letzte vertraute Zeit",
    "the system clock, which the kernel says is synchronized": "die Systemuhr, laut Kernel synchronisiert",
    "the system clock, set by an RTC at boot": "die Systemuhr, beim Start von einer RTC gestellt",
    'the system clock, as [clock] trust = "system" says': 'die Systemuhr, wie [clock] trust = "system" sagt',
    "the clock of {server}, to ±{accuracy} ms": "die Uhr von {server}, auf ±{accuracy} ms",
    "{file} was edited at {when} and is not in force ({parts}): {command}": (
        "{file} wurde um {when} geändert und gilt noch nicht ({parts}): {command}"
    ),
    "{parts}: an older version of the bridge is running still: {command}": (
        "{parts}: es läuft noch eine ältere Version: {command}"
    ),
    "end and start: serial-bridge run": "beenden und starten: serial-bridge run",
    "end and start: serial-bridge run{site}": "beenden und starten: serial-bridge run{site}",
    "{waiting}; {missing}": "{waiting}; {missing}",
    "{sensor}: {state}": "{sensor}: {state}",
    "bus {bus}: {state}, {error}": "Bus {bus}: {state}, {error}",
    "clock: {clock}": "Uhr: {clock}",
    "uplink: {state}, {error}, last answer {age} ago": "Uplink: {state}, {error}, letzte Antwort vor {age}",
    "disk full": "Platte voll",
    "no room on the disk for {path}": "kein Platz auf der Platte für {path}",
    "{path} is damaged: {error}": "{path} ist beschädigt: {error}",
    "{path} could not be read or written: {error}": "{path} ließ sich nicht lesen oder schreiben: {error}",
    "{path} fails: {error}": "{path} versagt: {error}",
    "{path} was locked for {limit} s by another process ({error})": (
        "{path} war {limit} s lang von einem anderen Prozess gesperrt ({error})"
    ),
    "{path} cannot be written: read-only, or not yours ({error})": (
        "{path} kann nicht geschrieben werden: nur lesbar, oder eines anderen Benutzers ({error})"
    ),
    "{path} cannot be used: not yours ({error})": (
        "{path} kann nicht benutzt werden: eines anderen Benutzers ({error})"
    ),
    "{path} cannot be opened: is it there, and yours? ({error})": (
        "{path} lässt sich nicht öffnen: gibt es die Datei, und ist sie lesbar? ({error})"
    ),
    "{path} could not be read or written: the disk fails ({error})": (
        "{path} ließ sich nicht lesen oder schreiben: die Platte versagt ({error})"
    ),
    "{path} cannot be used at the moment ({error})": "{path} ist im Augenblick nicht benutzbar ({error})",
    "{path}: this file system cannot share memory between processes; use a local disk": (
        "{path}: dieses Dateisystem kann keinen Speicher zwischen Prozessen teilen; eine lokale Platte nehmen"
    ),
    "{path} was found damaged by another process": (
        "{path} wurde von einem anderen Prozess beschädigt gefunden"
    ),
    "{path} is damaged: 0 bytes": "{path} ist beschädigt: 0 Byte",
    "{path} holds no spool yet": "{path} enthält noch keinen Zwischenspeicher",
    "{path} was made by an older serial-bridge: start the services, then look": (
        "{path} ist von einem älteren serial-bridge: die Dienste starten, dann nachsehen"
    ),
    "{grade}: {evidence}": "{grade}: {evidence}",
    "an exchange with a real device": "ein Austausch mit einem echten Gerät",
    "the maker's document": "das Dokument des Herstellers",
    "two independent sources": "zwei unabhängige Quellen",
    "one source": "eine Quelle",
    "{median} ms, 99 of 100 within {slowest} ms": "{median} ms, 99 von 100 binnen {slowest} ms",
    "registers in site.toml": "Register in site.toml",
}
