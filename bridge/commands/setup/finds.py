"""From the finds of a scan to blocks of site.toml: which belong on one bus, what they are called. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridge.commands.scan.result import Located, sentence
from protocols import load
from protocols.toolkit.errors import PackageError, SettingsError
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.protocol import ProtocolTemplate, PushingProtocol
from protocols.toolkit.scanning import Evidence, Find

_READABLE: Final = (Evidence.IDENTIFIED, Evidence.ANSWERS, Evidence.REFUSES, Evidence.HEARD)
_ADDRESS_KEYS: Final = ("address", "id")
_SLOW: Final = ("mbus", "iec62056", "dlt645", "kamstrup")
"""What begins the names of protocols whose meters are read by the minute: some run on a battery."""
_LONGEST_SUFFIX: Final = 8


@dataclass(frozen=True, slots=True)
class OneBus:
    """The finds that one bus can serve: one protocol, one line setting.

    Attributes:
        protocol: its name.
        line: the line settings.
        finds: those that may become sensors.
        others: a sentence for each find that cannot stand on this bus, or is none yet.
    """

    protocol: str
    line: LineSettings
    finds: Sequence[Find]
    others: Sequence[str]


def one_bus(finds: Sequence[Located]) -> OneBus | None:
    """Return the protocol and line settings with the most finds, and what is to be said of the others.

    None if nothing that can be read was found.
    """
    groups: dict[tuple[str, LineSettings], list[Located]] = defaultdict(list)
    for located in finds:
        if located.find.evidence in _READABLE:
            groups[located.find.protocol, located.line].append(located)
    if not groups:
        return None
    largest_group = max(groups.values(), key=lambda group: (len(group), -min(one.after_s for one in group)))
    protocol, line = largest_group[0].find.protocol, largest_group[0].line
    addresses = {one.find.address for one in largest_group}
    others = []
    for located in finds:
        find = located.find
        if find.address in addresses and find.protocol == protocol:
            continue  # taken, or the same device at other settings
        if find.evidence in _READABLE:
            others.append(
                f"{_place(find)} speaks {find.protocol} at {located.line}: one bus has one protocol and one "
                f"line setting; set it to {line}, or give it an adapter of its own"
            )
        else:
            others.append(f"{_place(find)} at {located.line}: {sentence(find)}")
    return OneBus(protocol, line, [one.find for one in largest_group], others)


def _place(find: Find) -> str:
    return f"address {find.address}" if find.address else "a device"


def faults(protocol: str, keys: Mapping[str, Any]) -> str:
    """Return what these keys lack to be a sensor of the protocol; "" if nothing."""
    try:
        record = load(protocol)
    except (KeyError, PackageError) as error:
        return str(error)
    if isinstance(record, ProtocolTemplate):
        return "each bus declares it by itself: write its block by hand"
    table = {key: value for key, value in keys.items() if key in record.schema["properties"]}
    try:
        record.settings(table)
    except SettingsError as error:
        return "; ".join(text for _, text in error.problems)
    return ""


def every(protocol: str, wish: str | None) -> str | None:
    """Return how often a sensor is read: what the person wishes, else what fits its kind."""
    if wish is not None:
        return wish
    if protocol.startswith(_SLOW):
        return "1m"
    return "10s"


def block(protocol: str, name: str, keys: Mapping[str, Any], wish: str | None) -> dict[str, Any]:
    """Return the keys of a sensor's block in the order in which people read them."""
    first = {"name": name} | {key: keys[key] for key in (*_ADDRESS_KEYS, "model") if key in keys}
    rest = {key: value for key, value in keys.items() if key not in first and key != "every"}
    return first | {"every": every(protocol, wish)} | rest


def is_same(find: Find, block: Mapping[str, Any]) -> bool:
    """Return whether a block of the bus is that of this device already."""
    find_addresses = {str(find.keys[key]) for key in _ADDRESS_KEYS if key in find.keys} | (
        {find.address} if find.address else set()
    )
    block_addresses = {str(block[key]) for key in _ADDRESS_KEYS if key in block}
    return bool(find_addresses & block_addresses) or not (find_addresses or block_addresses)


def proposed_name(find: Find, model: str | None, taken: Collection[str]) -> str:
    """Return a name for a sensor that says what it is and where, and that no other sensor has.

    Args:
        find: the device.
        model: its model, if it is known.
        taken: the names of the sensors of the site.
    """
    maker, dash, kind = (model or "").partition("-")
    word = (
        (kind if dash else maker) or find.identity.get("type") or find.identity.get("maker") or find.protocol
    )
    stem = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-") or find.protocol
    suffix = re.sub(r"[^A-Za-z0-9]", "", find.address)[-_LONGEST_SUFFIX:]
    name = f"{stem}-{suffix}" if suffix else stem
    number = 2
    unique = name
    while unique in taken:
        unique = f"{name}-{number}"
        number += 1
    return unique


def is_pushing(protocol: str) -> bool:
    """Return whether the sensors of a protocol send by themselves."""
    return isinstance(load(protocol), PushingProtocol)
