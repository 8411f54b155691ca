"""The one sentence that somebody gets instead of a page, in German."""

from __future__ import annotations

from typing import Final

REFUSALS: Final[dict[str, str]] = {
    "this gateway has another name: use the address that `web pair` shows": (
        "dieses Gateway heißt anders: die Adresse nehmen, die `web pair` zeigt"
    ),
    "this page only reads and asks": "diese Seite liest und fragt nur",
    "this did not come from a page of this gateway: open its own page": (
        "das kam nicht von einer Seite dieses Gateways: seine eigene Seite öffnen"
    ),
    "too long, or too slow: reload the page and try again": (
        "zu lang oder zu langsam: die Seite neu laden und wieder versuchen"
    ),
    "not paired: sudo serial-bridge web pair": "nicht gekoppelt: sudo serial-bridge web pair",
    "the form is of another session: reload the page and try again": (
        "das Formular ist aus einer anderen Sitzung: die Seite neu laden und wieder versuchen"
    ),
    "there is no such page: go back to the first one": "diese Seite gibt es nicht: zur ersten zurückgehen",
    "the page failed: the log of serial-bridge-web has more": (
        "die Seite ist gescheitert: mehr steht im Protokoll von serial-bridge-web"
    ),
    "too many pages are open: reload one to see it anew": (
        "zu viele Seiten sind offen: eine neu laden, um sie neu zu sehen"
    ),
}
