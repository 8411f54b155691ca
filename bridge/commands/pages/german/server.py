"""What the uplink says of the server and of the way to it, in German."""

from __future__ import annotations

from typing import Final

SERVER: Final[dict[str, str]] = {
    "the server does not understand the request's options (4.02): is it ThingsBoard?": (
        "der Server versteht die Optionen der Anfrage nicht (4.02): ist es ThingsBoard?"
    ),
    "the server forbids the request (4.03): check the url and who may use it": (
        "der Server verbietet die Anfrage (4.03): url prüfen, und wer sie benutzen darf"
    ),
    "the server has no such resource (4.04): check that the url is ThingsBoard's CoAP port": (
        "der Server hat diese Ressource nicht (4.04): prüfen, ob die url der CoAP-Port von ThingsBoard ist"
    ),
    "the server does not take readings there (4.05): check that the url is ThingsBoard's CoAP port": (
        "der Server nimmt dort keine Messungen an (4.05): prüfen, ob die url der CoAP-Port von "
        "ThingsBoard ist"
    ),
    "the server does not take JSON (4.15): check the device profile's payload type": (
        "der Server nimmt kein JSON an (4.15): den Payload-Typ des Geräteprofils prüfen"
    ),
    "the server refuses every reading ({answer}): check the device profile's payload type": (
        "der Server lehnt jede Messung ab ({answer}): den Payload-Typ des Geräteprofils prüfen"
    ),
    "the server does not know its certificate (4.01): compare it with the device's credentials": (
        "der Server kennt sein Zertifikat nicht (4.01): mit den Zugangsdaten des Geräts vergleichen"
    ),
    "the server answers {answer} even to a single value: its rate limit, its own failure, or a device "
    "profile of another transport type": (
        "der Server antwortet {answer} schon auf einen einzelnen Wert: seine Ratenbegrenzung, ein "
        "eigener Fehler, oder ein Geräteprofil mit anderem Transport"
    ),
    "the server finds the message too long (4.13)": "der Server findet die Nachricht zu lang (4.13)",
    "the server refuses a reading ({answer})": "der Server lehnt eine Messung ab ({answer})",
    "the server refuses this reading ({answer}) and accepts others of its sensor": (
        "der Server lehnt diese Messung ab ({answer}) und nimmt andere ihres Sensors an"
    ),
    "the server does not know its access token (4.01): compare credentials.toml with the device": (
        "der Server kennt sein Token nicht (4.01): credentials.toml mit dem Gerät vergleichen"
    ),
    "the server does not know the connection (4.01)": "der Server kennt die Verbindung nicht (4.01)",
    "the server is overloaded or limits the rate ({answer})": (
        "der Server ist überlastet oder begrenzt die Rate ({answer})"
    ),
    "5.00 from the server": "5.00 vom Server",
    "it has no credential in credentials.toml": "er hat kein Token in credentials.toml",
    "it is no longer configured": "er ist nicht mehr eingerichtet",
    "the server does not answer": "der Server antwortet nicht",
    "it has no credential in credentials.toml, so nothing is reported: serial-bridge provision": (
        "es hat kein Token in credentials.toml, also wird nichts gemeldet: serial-bridge provision"
    ),
    "a message of {length} bytes to {where} was swallowed while the server answers others: shorter "
    "ones are sent; look for a tunnel or firewall that drops long or fragmented datagrams": (
        "eine Nachricht von {length} Byte an {where} ging verloren, während der Server andere "
        "beantwortet: kürzere werden geschickt; einen Tunnel oder eine Firewall suchen, die lange oder "
        "zerteilte Datagramme verwirft"
    ),
    "{where} has no address ({reason}): check the host name and the gateway's name server": (
        "{where} hat keine Adresse ({reason}): den Namen und den Nameserver des Gateways prüfen"
    ),
    "{where} refused: check the port and that ThingsBoard's CoAP transport runs there": (
        "{where} lehnt ab: den Port prüfen, und ob dort der CoAP-Transport von ThingsBoard läuft"
    ),
    "{where} cannot be reached ({reason}): check the gateway's network, address and route": (
        "{where} ist nicht zu erreichen ({reason}): Netz, Adresse und Route des Gateways prüfen"
    ),
    "{where} was silent for {elapsed} s: check that UDP passes every firewall and that the server is "
    "not overloaded": (
        "{where} schwieg {elapsed} s: prüfen, ob UDP durch jede Firewall kommt und der Server nicht "
        "überlastet ist"
    ),
    "{where} rejected the message (RST): look for an exception in ThingsBoard's log": (
        "{where} wies die Nachricht zurück (RST): im Protokoll von ThingsBoard nach einem Fehler suchen"
    ),
    "the connection to {where} was closed on this side: send again": (
        "die Verbindung zu {where} wurde hier geschlossen: wieder senden"
    ),
    "{where} did not complete a DTLS handshake in {limit} s: check that the url's port is the coaps "
    "one, that UDP passes every firewall and that the server runs": (
        "{where} brachte in {limit} s keinen DTLS-Handshake zu Ende: prüfen, ob der Port der url der "
        "von coaps ist, UDP durch jede Firewall kommt und der Server läuft"
    ),
    "{where} was silent for {elapsed} s on an encrypted connection: a new handshake will tell whether "
    "it restarted or is unreachable": (
        "{where} schwieg {elapsed} s auf einer verschlüsselten Verbindung: ein neuer Handshake wird "
        "zeigen, ob der Server neu startete oder nicht zu erreichen ist"
    ),
    "{where} closed the encrypted connection: a new handshake follows": (
        "{where} schloss die verschlüsselte Verbindung: ein neuer Handshake folgt"
    ),
    "the gateway's clock says {now}, so the certificate of {where} is not valid yet: set the clock "
    "(timedatectl set-time …, or let NTP through)": (
        "die Uhr des Gateways sagt {now}, also ist das Zertifikat von {where} noch nicht gültig: die "
        "Uhr stellen (timedatectl set-time …, oder NTP durchlassen)"
    ),
    "the certificate of {where} is for {names}, not for {name}: if that is the right server, set "
    "server_name in site.toml to one of them": (
        "das Zertifikat von {where} ist für {names}, nicht für {name}: ist es der richtige Server, in "
        "site.toml server_name auf einen davon setzen"
    ),
    "the certificate of {where} has no subject alternative name, and a common name does not count: "
    "issue it anew with {name} as subjectAltName": (
        "das Zertifikat von {where} hat keinen Subject Alternative Name, und ein Common Name zählt "
        "nicht: es mit {name} als subjectAltName neu ausstellen"
    ),
    "it broke off the handshake: {alert}": "er brach den Handshake ab: {alert}",
    "the handshake with {where} failed ({reason}): compare the two sides' DTLS": (
        "der Handshake mit {where} scheiterte ({reason}): DTLS beider Seiten vergleichen"
    ),
    "{where} refuses the handshake ({alert}): it wants a client certificate or another cipher; let it "
    "take tokens without one, or give the sensor a certificate in credentials.toml": (
        "{where} lehnt den Handshake ab ({alert}): er will ein Client-Zertifikat oder eine andere "
        "Chiffre; ihn Tokens ohne Zertifikat annehmen lassen, oder dem Sensor in credentials.toml ein "
        "Zertifikat geben"
    ),
    "compare {path} with the device's credentials and with what the server trusts": (
        "{path} mit den Zugangsdaten des Geräts vergleichen und mit dem, wem der Server traut"
    ),
    "{where} does not accept the sensor's certificate ({alert}): {reason}": (
        "{where} nimmt das Zertifikat des Sensors nicht an ({alert}): {reason}"
    ),
    "the certificate of {where} {rule} (today is {now}): renew it on the server": (
        "das Zertifikat von {where} {rule} (heute ist {now}): auf dem Server erneuern"
    ),
    "has expired": "ist abgelaufen",
    "is not valid yet": "ist noch nicht gültig",
    "the system's trust anchors": "den Vertrauensankern des Systems",
    "the certificate of {where} is not vouched for by {anchors} ({text}): set ca in site.toml to the "
    "certificate of the authority that issued it": (
        "für das Zertifikat von {where} bürgt keines aus {anchors} ({text}): ca in site.toml auf das "
        "Zertifikat der ausstellenden Stelle setzen"
    ),
    "OpenSSL refuses the certificate {path} ({reason}): make another with an EC key on P-256 or an RSA "
    "key of 2048 bits": (
        "OpenSSL lehnt das Zertifikat {path} ab ({reason}): ein anderes mit EC-Schlüssel auf P-256 "
        "oder RSA-Schlüssel von 2048 Bit machen"
    ),
}
