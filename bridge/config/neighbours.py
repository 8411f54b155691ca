"""Mistakes between the tables of site.toml: what is right by itself but not beside another.

Two buses cannot share a port, nor two devices a name; which sensors can share a bus is for the protocol to
say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from bridge.config.document import Document, key_text
from bridge.config.tables import Sensor
from bridge.config.toml_lines import KeyPath
from bridge.config.wording import value_text
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.protocol import PolledProtocol, Protocol, Settings
from protocols.toolkit.pushing import ALIAS


def refuse_twins(document: Document, buses: Mapping[str, Any]) -> None:
    """Note buses that share a port, and sensors that share a name."""
    adapters = [(("bus", name, "adapter"), table.get("adapter")) for name, table in inner_tables(buses)]
    _unique(document, adapters, "two buses cannot share a port", _same_ports)
    names = [
        (("bus", name, "sensor", index, "name"), block.get("name"))
        for name, table in inner_tables(buses)
        for index, block in inner_tables(table.get("sensor"))
    ]
    _unique(document, names, "every sensor of the site needs a name of its own")


def refuse_gateway_twin(document: Document, gateway: str | None, sensors: Collection[str]) -> None:
    """Note a gateway with the name of a sensor: each is a device of its own."""
    if gateway is not None and gateway in sensors:
        document.mistake(
            ("thingsboard", "gateway"), f'"{gateway}" is a sensor: the gateway needs a name of its own'
        )


def refuse_neighbours(
    document: Document, path: KeyPath, entry: Protocol, sensors: Sequence[Sensor | None]
) -> None:
    """Note sensors that their protocol does not allow together on one bus."""
    places_and_settings = [(index, sensor.settings) for index, sensor in enumerate(sensors) if sensor]
    for (place, *below), message in entry.conflicts([settings for _, settings in places_and_settings]):
        document.mistake((*path, "sensor", places_and_settings[int(place)][0], *below), message)


def refuse_unheard(
    document: Document, path: KeyPath, entry: PolledProtocol[Settings], sensors: Sequence[Sensor | None]
) -> None:
    """Note sensors whose values cannot be had by listening to another master."""
    for index, sensor in enumerate(sensors):
        if sensor is None or entry.overhearer is None:
            continue
        try:
            entry.overhearer([sensor.settings])
        except SettingsError as error:
            for below, message in error.problems:
                document.mistake((*path, "sensor", index, *below), message)


def refuse_same_id(
    document: Document,
    path: KeyPath,
    blocks: Sequence[Mapping[str, Any]],
    sensors: Sequence[Sensor | None],
) -> None:
    """Note sensors that would each take the same telegrams whole."""
    first: dict[str, str] = {}
    for index, sensor in enumerate(sensors):
        if sensor is None or {"values", ALIAS} & set(blocks[index]):
            continue
        sender_id = sensor.settings.address
        if (first_sensor := first.setdefault(sender_id, sensor.name)) != sensor.name:
            claim = f"the id {sender_id} is that of" if sender_id else "there is one sensor on such a line:"
            message = (
                f'{claim} "{first_sensor}"; to divide its values, say in each which it keeps: values = ["…"]'
            )
            document.mistake((*path, "sensor", index), message)


def ask_about_addresses(document: Document, path: KeyPath, sensors: Sequence[Sensor | None]) -> None:
    """Warn of sensors with one address: parts of one device, or a copied block in which it was left."""
    first: dict[str, str] = {}
    for index, sensor in enumerate(sensors):
        if sensor is None or not (address := sensor.settings.address):
            continue
        if (first_sensor := first.setdefault(address, sensor.name)) != sensor.name:
            question = (
                f'{address} is the address of "{first_sensor}" too: is it one device? Then this is right; '
                "two devices need two addresses, or neither can be read"
            )
            document.warn((*path, "sensor", index, "address"), question)


def inner_tables(value: object) -> list[tuple[Any, Mapping[str, Any]]]:
    """Return the tables in a table (with their keys) or in a list (with their indexes), and nothing else."""
    pairs = (
        value.items() if isinstance(value, Mapping) else enumerate(value if isinstance(value, list) else ())
    )
    return [(key, table) for key, table in pairs if isinstance(table, Mapping)]


def _itself(text: str) -> tuple[str, ...]:
    return (text,)


def _same_ports(adapter: str) -> tuple[str, ...]:
    """Return every port that an adapter may mean, in one spelling: adapters that share a text share a port.

    A USB number without an interface means each port of the device, so "serial:A" and "serial:A:1" share one.
    """
    if adapter.startswith("/") and adapter.isprintable():
        return (os.path.realpath(adapter),)
    kind, _, name = adapter.partition(":")
    serial, _, interface = name.partition(":")
    if kind != "serial":
        return (adapter,)
    if re.fullmatch("[0-9A-Fa-f]{1,2}", interface):
        return (f"serial:{serial}:{int(interface, 16):x}",)
    return (adapter,) if interface else tuple(f"serial:{serial}:{number:x}" for number in range(256))


def _unique(
    document: Document,
    entries: Iterable[tuple[KeyPath, object]],
    rule: str,
    meanings: Callable[[str], Collection[str]] = _itself,
) -> None:
    """Note each text that stands in an earlier entry too, or has the meaning of one there."""
    first: dict[str, KeyPath] = {}
    for path, text in entries:
        if not isinstance(text, str):
            continue
        for meaning in meanings(text):
            if (earlier_path := first.setdefault(meaning, path)) != path:
                place = f"{key_text(earlier_path)} on line {document.line(earlier_path)}"
                document.mistake(path, f"{value_text(text)} is also {place}; {rule}")
                break
