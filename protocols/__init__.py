"""The catalogue: name in site.toml → protocol.

A protocol is what one file (or folder) of this package declares: how its frames are found and described, and,
if its sensors must be asked, how. Nothing here does anything: bytes come in as arguments, values go out.
Its module is imported when the protocol is first asked for, so that a service imports only its own. Other
packages can bring more of them: `toolkit.plugins`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from protocols.toolkit.errors import PackageError
from protocols.toolkit.protocol import CatalogueEntry, PolledProtocol, ProtocolTemplate, PushingProtocol

CATALOGUE: Final[Mapping[str, tuple[str, str]]] = {  # name → module and attribute
    "modbus-rtu": ("protocols.modbus.rtu", "PROTOCOL"),
    "modbus-ascii": ("protocols.modbus.ascii", "PROTOCOL"),
    "mbus": ("protocols.mbus", "PROTOCOL"),
    "dlt645": ("protocols.dlt645", "PROTOCOL"),
    "dlt645-1997": ("protocols.dlt645", "PROTOCOL_1997"),
    "iec62056-21": ("protocols.iec62056_21.modes_abc", "PROTOCOL"),
    "iec62056-21-d": ("protocols.iec62056_21.mode_d", "PROTOCOL"),
    "dsmr": ("protocols.dsmr", "PROTOCOL"),
    "dsmr-encrypted": ("protocols.dsmr_encrypted", "PROTOCOL"),
    "nmea0183": ("protocols.nmea0183", "PROTOCOL"),
    "sml": ("protocols.sml", "PROTOCOL"),
    "dlms-push": ("protocols.dlms.push", "PROTOCOL"),
    "kamstrup-kmp": ("protocols.kamstrup_kmp", "PROTOCOL"),
    "vedirect-text": ("protocols.vedirect.text", "PROTOCOL"),
    "vedirect-hex": ("protocols.vedirect.hex", "PROTOCOL"),
    "shdlc": ("protocols.shdlc", "PROTOCOL"),
    "plantower": ("protocols.plantower", "PROTOCOL"),
    "sds011": ("protocols.sds011", "PROTOCOL"),
    "winsen": ("protocols.winsen.polled", "PROTOCOL"),
    "winsen-active": ("protocols.winsen.active", "PROTOCOL"),
    "honeywell-hpma": ("protocols.hpma", "HPMA115S0"),
    "honeywell-hpma-compact": ("protocols.hpma", "HPMA115C0"),
    "cubic": ("protocols.cubic", "PROTOCOL"),
    "jbd-bms": ("protocols.jbd_bms", "PROTOCOL"),
    "daly-bms": ("protocols.daly_bms", "PROTOCOL"),
    "jk-bms": ("protocols.jk_bms.polled", "PROTOCOL"),
    "jk-bms-push": ("protocols.jk_bms.broadcast", "PROTOCOL"),
    "pylontech": ("protocols.pylontech", "PROTOCOL"),
    "voltronic-pi30": ("protocols.voltronic_pi30", "PROTOCOL"),
    "declared": ("protocols.declared", "PROTOCOL"),
}

_TYPES: Final = (PolledProtocol, PushingProtocol, ProtocolTemplate)


def load(name: str) -> CatalogueEntry:
    """Return the protocol of that name; its module is imported when it is first asked for.

    Raises:
        KeyError: no such protocol.
        PackageError: another package brings it, and it cannot be used.
    """
    if name not in CATALOGUE:
        return load_plugin(name)
    module, attribute = CATALOGUE[name]
    protocol: object = getattr(import_module(module), attribute)
    assert isinstance(protocol, _TYPES)
    return protocol


def load_plugin(name: str) -> CatalogueEntry:
    """Return the protocol that another package brings under this name. Errors as of `load`."""
    from protocols.toolkit import plugins  # asking what is installed costs more than most protocols

    protocol = plugins.load(name, CATALOGUE)
    if isinstance(protocol, _TYPES) and protocol.name == name:
        return protocol
    description = (
        f'a protocol named "{protocol.name}"'
        if isinstance(protocol, _TYPES)
        else f"no protocol but {protocol!r:.60}"
    )
    raise PackageError(
        f'{plugins.origins(name)[0]}: "{name}" leads to {description}; update or uninstall the package'
    )


def names() -> list[str]:
    """Return every name that site.toml can use: those that ship, then those that other packages bring."""
    from protocols.toolkit import plugins

    return list(dict.fromkeys([*CATALOGUE, *plugins.names()]))
