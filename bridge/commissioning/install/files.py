"""What stands on a machine that runs a site: files, and what must be in them. Nothing is read but templates.

The services run as a user of their own, see neither /home nor /root, and write to the spool's folder alone.
So what they need must lie where they may read it; what does not is refused here, in one sentence, rather than
found in the journal of a service that does not start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.commissioning.install.rules import rules
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

ALL = (RULES, READER, UPLINK, ENABLED, SYSUSERS, TMPFILES)
"""Every file that may be written: what `uninstall` removes."""

PACKAGED = Path(__file__).parent / "udev"
_CHECKOUT = Path(__file__).parents[3] / "udev"
_PLAIN = re.compile(r"/[\w./+@=,:-]*", re.ASCII)  # needs no quoting in a unit
_PLACE = re.compile(r"@(program|site|spool|buses|handed_over)@")
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 — by ProtectHome= and PrivateTmp=
_HOMES = {
    "the program": "install it in /opt: /usr/bin/python3 -m venv /opt/serial-bridge, "
    "then /opt/serial-bridge/bin/pip install .",  # a virtual environment cannot be moved
    "the site file": "move it to /etc/serial-bridge",
    "the folder of the spool": "move it to /var/lib/serial-bridge",
}


@dataclass(frozen=True, slots=True)
class File:
    """What must stand at a path: a text, or a link.

    Attributes:
        text: of a link, where it leads.
    """

    path: Path
    text: str
    is_link: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are on the machine that is to run the site.

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
    """Everything that must be written; without credentials nothing for the uplink.

    Raises:
        ConfigError: a place or an adapter that udev or systemd cannot use, each with what to do.
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
    found = [
        File(RULES, _rendered(RULES.name, values)),
        File(SYSUSERS, _rendered("serial-bridge.sysusers.conf", values)),
        File(TMPFILES, _rendered("serial-bridge.tmpfiles.conf", values)),
        File(READER, _rendered(READER.name, values)),
    ]
    if places.handed_over:
        found += [File(UPLINK, _rendered(UPLINK.name, values)), File(ENABLED, f"../{UPLINK.name}", True)]
    return tuple(found)


def handed_over(credentials: Credentials, path: Path) -> dict[str, Path]:
    """What systemd hands over to the uplink: credentials.toml and the files it names, by their bare names.

    Args:
        path: where the credentials were read from.

    Raises:
        ConfigError: two files have one name, so that one could not be told from the other.
    """
    found = {"credentials.toml": path}
    for credential in credentials.sensors.values():
        if not isinstance(credential, Certificate):
            continue
        for file in (credential.certificate, credential.key):
            if (other := found.setdefault(file.name, file)) != file:
                why = f"{other} and {file} have one name, and systemd hands files over by name: rename one"
                raise ConfigError([f"{path}: {why}"])
    return found


def template(name: str) -> str:
    """A file of udev/: in the package, or beside it in a checkout."""
    folder = PACKAGED if PACKAGED.is_dir() else _CHECKOUT
    return (folder / name).read_text("utf-8")


def _rendered(name: str, values: dict[str, str]) -> str:
    """A template with its places filled in; what looks like a place in a value is none."""
    return _PLACE.sub(lambda place: values[place[1]], template(name))


def _out_of_reach(places: Places) -> Iterator[str]:
    """What the services could not use."""
    for path in (places.program, places.site, places.spool, *places.handed_over.values()):
        if not _PLAIN.fullmatch(str(path)):
            yield f'"{path}" has a character that a unit cannot hold: rename it'
    if why := folder_refusal(places.spool):
        yield f"[spool] path: {why}"
    for what, path in zip(_HOMES, (places.program, places.site, places.spool), strict=True):
        if any(path.is_relative_to(hidden) for hidden in HIDDEN):
            yield f"{what}, {path}, is where the services have no access: {_HOMES[what]}"
