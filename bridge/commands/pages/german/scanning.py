"""What a scan and a try from the page say, in German."""

from __future__ import annotations

from typing import Final

SCANNING: Final[dict[str, str]] = {
    "bus {bus} is not being read: start its service, or scan it with the command": (
        "Bus {bus} wird nicht gelesen: seinen Dienst starten, oder mit dem Befehl suchen"
    ),
    "bus {bus} is not being read: start its service, or type serial-bridge try": (
        "Bus {bus} wird nicht gelesen: seinen Dienst starten, oder serial-bridge try eingeben"
    ),
    "the scan of {bus} took too long: scan it with the command": (
        "die Suche auf {bus} dauerte zu lange: mit dem Befehl suchen"
    ),
    "the scan failed ({error}): see the log of the service": (
        "die Suche scheiterte ({error}): das Protokoll des Dienstes ansehen"
    ),
    "interrupted: start it again to ask the other addresses too": (
        "abgebrochen: wieder beginnen, um auch die übrigen Adressen zu fragen"
    ),
    "bus {bus} is read by another user: run this with sudo": (
        "Bus {bus} wird von einem anderen Benutzer gelesen: mit sudo ausführen"
    ),
    "bus {bus} is in service: its reader asks, between the polls of its sensors": (
        "Bus {bus} ist in Betrieb: sein Leser fragt, zwischen den Abfragen seiner Sensoren"
    ),
    "bus {bus} is in service as {protocol} at {line}: to scan it otherwise, {stop}": (
        "Bus {bus} ist als {protocol} mit {line} in Betrieb: um anders zu suchen, {stop}"
    ),
    "bus {bus} is in service as {protocol} at {line}: to scan it otherwise, stop it first": (
        "Bus {bus} ist als {protocol} mit {line} in Betrieb: um anders zu suchen, ihn erst anhalten"
    ),
    "bus {bus} is in service, and {protocol} is not searched by address: {stop}": (
        "Bus {bus} ist in Betrieb, und {protocol} wird nicht nach Adressen durchsucht: {stop}"
    ),
    "bus {bus} is in service: name the addresses to ask, --addresses 1-20": (
        "Bus {bus} ist in Betrieb: mit dem Befehl suchen und die Adressen nennen, --addresses 1-20"
    ),
    "bus {bus} speaks {protocol}, which cannot be searched": (
        "Bus {bus} spricht {protocol}, das nicht durchsucht werden kann"
    ),
    "bus {bus}: its reader has stopped: {step}": "Bus {bus}: sein Leser hat geendet: {step}",
    "bus {bus}: its reader does not answer: {step}": "Bus {bus}: sein Leser antwortet nicht: {step}",
    "bus {bus}: its reader did not answer ({error}): {step}": (
        "Bus {bus}: sein Leser antwortete nicht ({error}): {step}"
    ),
    "others are asking already: try again in a moment": "andere fragen schon: gleich wieder versuchen",
    "the line had no room within {limit} s: raise `every` of its sensors": (
        "die Leitung hatte binnen {limit} s keinen Platz: `every` ihrer Sensoren erhöhen"
    ),
    "its protocol failed ({error}): the log of the service has more": (
        "sein Protokoll ist gescheitert ({error}): mehr steht im Protokoll des Dienstes"
    ),
    "address {first}–{last}": "Adresse {first}–{last}",
    "the sensors of site.toml were not asked: {addresses}": (
        "die Sensoren in site.toml wurden nicht gefragt: {addresses}"
    ),
    "nothing else answers at {line}: check its power, then A and B (swapped?), then its address": (
        "sonst antwortet nichts mit {line}: Stromversorgung prüfen, dann A und B (vertauscht?), die Adresse"
    ),
    ", {count} more heard": ", {count} weitere gehört",
    "{count} octets sent in ": "{count} Oktette gesendet in ",
    "next: {step}": "als Nächstes: {step}",
    "two devices with one address": "zwei Geräte mit einer Adresse",
    "answers with a wrong checksum": "antwortet mit falscher Prüfsumme",
    "something is here, but no frame is whole": "hier ist etwas, aber kein Telegramm ist vollständig",
    "answers, model unknown": "antwortet, Modell unbekannt",
    "is there, refuses what was asked": "ist da, verweigert das Gefragte",
    "{bus}: {count} {answer}{heard}; {sent}{time}, nothing was written to any device": (
        "{bus}: {count} {answer}{heard}; {sent}{time}, in kein Gerät wurde geschrieben"
    ),
    "device answers": "Gerät antwortet",
    "devices answer": "Geräte antworten",
    "{step}, at most {left} left": "{step}, höchstens noch {left}",
    "stop it first: sudo systemctl stop serial-bridge@{bus}": (
        "ihn erst anhalten: sudo systemctl stop serial-bridge@{bus}"
    ),
    "see its log: journalctl -u serial-bridge@{bus}": (
        "sein Protokoll ansehen: journalctl -u serial-bridge@{bus}"
    ),
    "may be: {models}": "vielleicht: {models}",
    "{line} address {address}: {what}": "{line} Adresse {address}: {what}",
    "interrupted; to go on: {step}": "abgebrochen; weiter mit: {step}",
}
