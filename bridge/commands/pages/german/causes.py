"""The sentences of the classifier (`bridge.causes`) in German: what is observed, and the next step."""

from __future__ import annotations

from typing import Final

from bridge.causes import Cause

CAUSES: Final[dict[Cause, tuple[str, str]]] = {
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
