"""The files on a machine that runs a site, and their contents. Only templates are read here.

The services run as a user of their own, see neither /home nor /root, and write to the spool's folder alone.
So everything they need must lie where they may read it; anything that does not is refused here, in one
sentence, rather than in the journal of a service that does not start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.commands.install.rules import rules
from bridge.config import Certificate, Credentials, Site
from bridge.errors import ConfigError
from bridge.spool_file import folder_refusal

UNITS = Path("/etc/systemd/system")
RULES = Path("/etc/udev/rules.d/99-serial-bridge.rules")
SYSUSERS = Path("/etc/sysusers.d/serial-bridge.conf")
TMPFILES = Path("/etc/tmpfiles.d/serial-bridge.conf")
READER = UNITS / "serial-bridge@.service"
UPLINK = UNITS / "serial-bridge-uplink.service"
ENABLED = UNITS / "multi-user.target.wants" / UPLINK.name
WEB = UNITS / "serial-bridge-web.service"
WEB_SOCKET = UNITS / "serial-bridge-web.socket"
WEB_ENABLED = UNITS / "sockets.target.wants" / WEB_SOCKET.name

ALL = (RULES, READER, UPLINK, ENABLED, SYSUSERS, TMPFILES, WEB, WEB_SOCKET, WEB_ENABLED)
"""Every file that may be written: what `uninstall` removes."""

PACKAGED = Path(__file__).parent / "udev"
_CHECKOUT = Path(__file__).parents[3] / "udev"
_PLAIN = re.compile(r"/[\w./+@=,:-]*", re.ASCII)  # needs no quoting in a unit
_PLACE = re.compile(r"@(program|site|spool|buses|handed_over|listen)@")
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 — by ProtectHome= and PrivateTmp=
_HOMES = {
    "the program": "install it in /opt: /usr/bin/python3 -m venv /opt/serial-bridge, "
    "then /opt/serial-bridge/bin/pip install .",  # a virtual environment cannot be moved
    "the site file": "move it to /etc/serial-bridge",
    "the folder of the spool": "move it to /var/lib/serial-bridge",
}


@dataclass(frozen=True, slots=True)
class File:
    """The contents that a path must have: a text, or a link.

    Attributes:
        text: for a link, its target.
    """

    path: Path
    text: str
    is_link: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """The places of things on the machine that is to run the site.

    Attributes:
        program: serial-bridge itself.
        spool: the folder of the spool.
        handed_over: the credentials' files, by the names under which the uplink gets them; none if there are
            no credentials yet, so that nothing can be delivered.
    """

    program: Path
    site: Path
    spool: Path
    handed_over: Mapping[str, Path]


def files(site: Site, places: Places) -> tuple[File, ...]:
    """Return every file that must be written; without credentials none for the uplink, without [web] no page.

    Raises:
        ConfigError: udev or systemd cannot use a place or an adapter; each message says what to do.
    """
    mistakes = [*_out_of_reach(places)]
    lines: list[str] = []
    for bus in site.buses.values():
        try:
            lines.append(rules(bus))
        except ValueError as error:
            mistakes.append(f"{site.path}: bus.{bus.name}.adapter: {error}")
    if mistakes:
        raise ConfigError(mistakes)
    values = {
        "program": str(places.program),
        "site": str(places.site),
        "spool": str(places.spool),
        "buses": "\n".join(lines),
        "handed_over": "\n".join(
            f"LoadCredential={name}:{path}" for name, path in places.handed_over.items()
        ),
    }
    site_files = [
        File(RULES, _rendered(RULES.name, values)),
        File(SYSUSERS, _rendered("serial-bridge.sysusers.conf", values)),
        File(TMPFILES, _rendered("serial-bridge.tmpfiles.conf", values)),
        File(READER, _rendered(READER.name, values)),
    ]
    if places.handed_over:
        site_files += [File(UPLINK, _rendered(UPLINK.name, values)), File(ENABLED, f"../{UPLINK.name}", True)]
    if site.web.listen != "off":
        values["listen"] = f"127.0.0.1:{site.web.port}" if site.web.listen == "local" else str(site.web.port)
        site_files += [
            File(WEB, _rendered(WEB.name, values)),
            File(WEB_SOCKET, _rendered(WEB_SOCKET.name, values)),
            File(WEB_ENABLED, f"../{WEB_SOCKET.name}", True),
        ]
    return tuple(site_files)


def handed_over(credentials: Credentials, path: Path) -> dict[str, Path]:
    """Return the files that systemd hands over to the uplink, by their bare names.

    These are credentials.toml and the files it names.

    Args:
        path: the file that the credentials were read from.

    Raises:
        ConfigError: two files have one name, so that systemd cannot hand over both.
    """
    paths = {"credentials.toml": path}
    for credential in credentials.sensors.values():
        if not isinstance(credential, Certificate):
            continue
        for file in (credential.certificate, credential.key):
            if (first_path := paths.setdefault(file.name, file)) != file:
                why = (
                    f"{first_path} and {file} have one name, and systemd hands files over by name: rename one"
                )
                raise ConfigError([f"{path}: {why}"])
    return paths


def template(name: str) -> str:
    """Return the text of a file of udev/: in the package, or beside it in a checkout."""
    folder = PACKAGED if PACKAGED.is_dir() else _CHECKOUT
    return (folder / name).read_text("utf-8")


def _rendered(name: str, values: dict[str, str]) -> str:
    """Return a template with its places filled in; a value may hold text that looks like a place."""
    return _PLACE.sub(lambda place: values[place[1]], template(name))


def _out_of_reach(places: Places) -> Iterator[str]:
    """Yield a sentence for each place that the services could not use."""
    for path in (places.program, places.site, places.spool, *places.handed_over.values()):
        if not _PLAIN.fullmatch(str(path)):
            yield f'"{path}" has a character that a unit cannot hold: rename it'
    if why := folder_refusal(places.spool):
        yield f"[spool] path: {why}"
    for noun, path in zip(_HOMES, (places.program, places.site, places.spool), strict=True):
        if any(path.is_relative_to(hidden) for hidden in HIDDEN):
            yield f"{noun}, {path}, is where the services have no access: {_HOMES[noun]}"
