"""The catalogue: name in site.toml → protocol.

A protocol is what one file (or folder) of this package declares: how its frames are found and described, and,
if its sensors must be asked, how. Nothing here does anything: bytes come in as arguments, values go out.
Other packages can bring more of them: `installed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from protocols.toolkit.errors import PackageError
from protocols.toolkit.protocol import Protocol

CATALOGUE: Mapping[str, str] = {
    "modbus-rtu": "protocols.modbus.rtu",
    "modbus-ascii": "protocols.modbus.ascii",
    "mbus": "protocols.mbus.entry",
    "dlt645": "protocols.dlt645.entry",
    "dlt645-1997": "protocols.dlt645.entry_1997",
    "iec62056-21": "protocols.iec62056_21.entry",
    "iec62056-21-d": "protocols.iec62056_21.mode_d",
    "dsmr": "protocols.dsmr",
    "dsmr-encrypted": "protocols.dsmr_encrypted",
    "nmea0183": "protocols.nmea0183.entry",
    "sml": "protocols.sml.entry",
    "dlms-push": "protocols.dlms.entry",
    "kamstrup-kmp": "protocols.kamstrup_kmp.entry",
    "vedirect-text": "protocols.vedirect.text",
    "vedirect-hex": "protocols.vedirect.hex_entry",
    "shdlc": "protocols.shdlc.entry",
    "plantower": "protocols.plantower",
    "sds011": "protocols.sds011",
    "winsen": "protocols.winsen.polled",
    "winsen-active": "protocols.winsen.active",
    "honeywell-hpma": "protocols.hpma.standard",
    "honeywell-hpma-compact": "protocols.hpma.compact",
    "cubic": "protocols.cubic",
    "jbd-bms": "protocols.jbd_bms.entry",
    "daly-bms": "protocols.daly_bms.entry",
    "jk-bms": "protocols.jk_bms.polled",
    "jk-bms-push": "protocols.jk_bms.broadcast",
    "pylontech": "protocols.pylontech.entry",
    "voltronic-pi30": "protocols.voltronic_pi30",
    "declared": "protocols.declared.entry",
}


def protocol(name: str) -> Protocol:
    """The protocol of that name; its module is imported when first asked for.

    Raises:
        KeyError: no such protocol.
        PackageError: another package brings it, and it cannot be used.
    """
    if name not in CATALOGUE:
        return brought(name)
    found = import_module(CATALOGUE[name]).PROTOCOL
    assert isinstance(found, Protocol)
    return found


def brought(name: str) -> Protocol:
    """The protocol that another package brings under this name. Errors as of `protocol`."""
    from protocols.toolkit import plugins  # asking what is installed costs more than most protocols

    found = plugins.load(name, CATALOGUE)
    if isinstance(found, Protocol) and found.name == name:
        return found
    what = (
        f'a protocol named "{found.name}"'
        if isinstance(found, Protocol)
        else f"no protocol but {found!r:.60}"
    )
    raise PackageError(
        f'{plugins.origins(name)[0]}: "{name}" leads to {what}; update or uninstall the package'
    )


def names() -> list[str]:
    """Every name that site.toml can use: of those that ship, then of those that other packages bring."""
    from protocols.toolkit import plugins

    return list(dict.fromkeys([*CATALOGUE, *plugins.names()]))
