"""What `doctor` finds on the machine, in German."""

from __future__ import annotations

from typing import Final

DOCTOR: Final[dict[str, str]] = {
    "the clock is not synchronized: {missing}": "die Uhr ist nicht synchronisiert: {missing}",
    "the clock is not synchronized and drifts: the time is that of {source}": (
        "die Uhr ist nicht synchronisiert und geht mit der Zeit falsch; es gilt: {source}"
    ),
    "brltty (process {pid}) takes USB adapters away, because braille displays have the same chips: bus "
    "{buses}": (
        "brltty (Prozess {pid}) nimmt USB-Adapter weg, weil Braillezeilen dieselben Chips haben: Bus {buses}"
    ),
    "ModemManager (process {pid}) sends AT commands into a new port to find modems, and nothing keeps "
    "it from bus {buses}": (
        "ModemManager (Prozess {pid}) schickt AT-Befehle in jeden neuen Anschluss, um Modems zu "
        "finden, und nichts hält ihn von Bus {buses} ab"
    ),
    "gpsd takes adapters of the kind {usb} for a GPS receiver: {device}, bus {bus}": (
        "gpsd hält Adapter der Art {usb} für einen GPS-Empfänger: {device}, Bus {bus}"
    ),
    "a login prompt{process} is on {device}, which is bus {bus}": (
        "eine Anmeldung{process} läuft auf {device}, das ist Bus {bus}"
    ),
    " (process {pid})": " (Prozess {pid})",
    "process {pid} {command}": "Prozess {pid} {command}",
    "the kernel writes its messages to {device}, which is bus {bus}": (
        "der Kernel schreibt seine Meldungen auf {device}, das ist Bus {bus}"
    ),
    "remove console={name}… from the kernel command line (/boot/firmware/cmdline.txt on a Raspberry "
    "Pi, GRUB elsewhere), then: sudo reboot": (
        "console={name}… aus der Kernel-Befehlszeile nehmen (/boot/firmware/cmdline.txt auf einem "
        "Raspberry Pi, sonst GRUB), dann: sudo reboot"
    ),
    "the supply voltage was too low {times}: USB adapters fail first; use the maker's power supply": (
        "die Versorgungsspannung war zu niedrig, {times}: USB-Adapter fallen zuerst aus; das Netzteil "
        "des Herstellers nehmen"
    ),
    "USB socket {socket}: {program} took the adapter from its driver {times}": (
        "USB-Buchse {socket}: {program} nahm dem Treiber den Adapter, {times}"
    ),
    "USB socket {socket}: its adapter {event} {times}; if nobody pulled it, try another cable, a "
    "powered hub, more distance from power lines": (
        "USB-Buchse {socket}: ihr Adapter {event}, {times}; hat ihn niemand gezogen: anderes Kabel, "
        "Hub mit Netzteil oder mehr Abstand zu Starkstromleitungen versuchen"
    ),
    "was reset": "wurde zurückgesetzt",
    "went away": "verschwand",
    "was cut off by interference": "wurde von Störungen getrennt",
    "did not answer when plugged in": "antwortete beim Einstecken nicht",
    "was given up by the kernel": "wurde vom Kernel aufgegeben",
    "drew too much current": "zog zu viel Strom",
    "{count} times": "{count}-mal",
    "{minutes} min": "{minutes} min",
    "bus {bus}: {device} {known}": "Bus {bus}: {device} {known}",
    "bus {bus}: {sentence}": "Bus {bus}: {sentence}",
    "to user {user}": "für Benutzer {user}",
    "it is for group {group}": "es ist für die Gruppe {group}",
    "the spool's folder {folder} is missing": "der Ordner des Zwischenspeichers fehlt: {folder}",
    "user {user} may not write {place}: no reading can be kept": (
        "Benutzer {user} darf {place} nicht schreiben: keine Messung kann behalten werden"
    ),
    "the disk of {folder} is nearly full, {free} are left": (
        "die Platte von {folder} ist fast voll, {free} sind frei"
    ),
    "the spool may grow by {growth}, and the disk of {folder} has {free} left: set a smaller limit in "
    "[spool], or make room": (
        "der Zwischenspeicher kann um {growth} wachsen, und die Platte von {folder} hat {free} frei: "
        "in [spool] eine kleinere Grenze setzen oder Platz schaffen"
    ),
    "the adapter {adapter} in USB socket {socket} has no port, because its driver is missing": (
        "der Adapter {adapter} in USB-Buchse {socket} hat keinen Anschluss, weil sein Treiber fehlt"
    ),
    "a program has taken the adapter {adapter} in USB socket {socket} from its driver": (
        "ein Programm hat den Adapter {adapter} in USB-Buchse {socket} seinem Treiber weggenommen"
    ),
    "{devices} have the same serial number {serial}: only their USB sockets tell them apart": (
        "{devices} haben dieselbe Seriennummer {serial}: nur ihre USB-Buchsen unterscheiden sie"
    ),
    "{devices} have the same serial number {serial}": "{devices} haben dieselbe Seriennummer {serial}",
    "it has no serial number": "er hat keine Seriennummer",
    "many adapters have the serial number {serial} ({whose})": (
        "viele Adapter haben die Seriennummer {serial} ({whose})"
    ),
    "its serial number {serial} is one that nobody gave it": (
        "seine Seriennummer {serial} hat ihm niemand gegeben"
    ),
    "its serial number {serial} has a character that neither site.toml nor a udev rule can hold": (
        "seine Seriennummer {serial} hat ein Zeichen, das weder in site.toml noch in einer udev-Regel "
        "stehen kann"
    ),
    'adapter "{adapter}" may be the wrong one, {why}: write {better}': (
        'der Adapter "{adapter}" kann der falsche sein, {why}: stattdessen {better} schreiben'
    ),
    '"path:…", as `serial-bridge enroll` writes it': '"path:…", wie `serial-bridge enroll` es schreibt',
    'adapter "{adapter}" has {count} ports: write {ways}': (
        'der Adapter "{adapter}" hat {count} Anschlüsse: {ways} schreiben'
    ),
    'adapter "{adapter}" fits several devices: write {ways}': (
        'der Adapter "{adapter}" passt auf mehrere Geräte: {ways} schreiben'
    ),
    "{device}: neither a serial number nor the USB socket tells it from {others}: use an adapter with "
    "a USB interface for each port": (
        "{device}: weder Seriennummer noch USB-Buchse unterscheiden es von {others}: einen Adapter mit "
        "einer USB-Schnittstelle je Anschluss nehmen"
    ),
    "a counterfeit FT232R": "ein gefälschter FT232R",
    "a much copied FT232R": "ein oft kopierter FT232R",
    "a CP2102 as it leaves the factory": "ein CP2102 ab Werk",
    "a Sipeed debugger": "ein Debugger von Sipeed",
    "the spool holds {share} % of its limit of {limit}: beyond it the oldest readings expire{expired}; "
    "see why they are not delivered": (
        "der Zwischenspeicher ist zu {share} % seiner Grenze von {limit} voll: darüber verfallen die "
        "ältesten Messungen{expired}; nachsehen, warum sie nicht zugestellt werden"
    ),
    ", {count} have": ", {count} sind es schon",
    "{device_file} and {other_file}": "{device_file} und {other_file}",
    "{how_often} within a day, last {ago} ago": "{how_often} binnen eines Tages, zuletzt vor {ago}",
    "once": "einmal",
}
