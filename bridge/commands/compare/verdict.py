"""The verdict of a comparison: what is to be put right before this bridge takes a line over, and then what.

What stands in the way makes the bus not ready: nothing heard, sensors or values that cannot be right, a plan
that does not fit on the wire. What only has to be known does not: values that the master never reads, units
that it asks beside the sensors of site.toml, and what it writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bridge.commands.check.bus_load import FULL, figure
from bridge.commands.compare.amounts import times
from bridge.commands.compare.comparison import Comparison, SensorComparison
from bridge.commands.terminal.next_step import command

_MOST_NAMES = 4  # in one sentence


def judged(document: Comparison, site: Path) -> Comparison:
    """Return the document with its verdict; its next step names the site file where that is elsewhere."""
    obstacles = list(_obstacles(document))
    remarks = list(_remarks(document)) if document["frames"] else []
    return {
        **document,
        "is_ready": not obstacles,
        "verdict": [*obstacles, *remarks, _next_step(document, site, is_ready=not obstacles)],
    }


def _obstacles(document: Comparison) -> Iterator[str]:
    """Yield what is to be put right before the move."""
    if not document["frames"]:
        yield f"no frame of {document['protocol']} was heard on bus {document['bus']}"
        return
    for name, sensor in document["sensors"].items():
        yield from _obstacles_of(name, sensor)
    if document["planned_share"] > FULL:
        share = figure(f"{100 * document['planned_share']:.0f} %", is_lower_bound=document["is_lower_bound"])
        yield f"the plan of site.toml needs {share} of the wire's time: raise `every` of its sensors"


def _obstacles_of(name: str, sensor: SensorComparison) -> Iterator[str]:
    values, asked = sensor["values"], sensor["asked"]
    place = f"{name} (address {sensor['address']})" if sensor["address"] else name
    yield from (f"{name}: {value['doubt']}" for value in values.values() if value["doubt"])
    if any(value["reads"] for value in values.values()):
        without_value = [
            key for key, value in values.items() if not value["reads"] and value["never_read"] is None
        ]
        if without_value:
            yield (
                f"{name}: {_listed(without_value)} is read by the master, and has no value by this map: "
                f"compare type, `invalid`, `min` and `max` with the manual"
            )
    elif asked is not None and not asked["answered"] and not asked["refused"]:
        yield f"{place} was asked {times(asked['requests'])} and never answered: is it still there?"
    elif asked is not None and asked["answered"]:
        yield f"{place} answers, and nothing that site.toml names: compare its map with the manual"
    elif asked is not None:
        yield f"{place} refused all that the master asked: compare its map with the manual"


def _remarks(document: Comparison) -> Iterator[str]:
    """Yield what has to be known before the move."""
    for name, sensor in document["sensors"].items():
        unseen = [key for key, value in sensor["values"].items() if value["never_read"] is not None]
        if sensor["asked"] is None and not any(value["reads"] for value in sensor["values"].values()):
            yield f"{name} is never asked by this master, so nobody has seen it answer"
        elif unseen:
            yield f"{name}: {_listed(unseen)} is never read by the master, so nobody has seen it answered"
    for address, counts in document["others"].items():
        yield (
            f"the master also asks address {address} ({times(counts['requests'])}), which is no sensor of "
            f"site.toml: `serial-bridge sniff {document['bus']} --learn` proposes a block for it"
        )
    addresses = [*_written(document)]
    if addresses:
        yield (
            f"the master writes to {_listed(addresses)}, and this bridge writes nothing: what depends on "
            f"that ends with the old master"
        )


def _written(document: Comparison) -> Iterator[str]:
    """Yield the addresses that the master writes to, each with how often."""
    written = {
        sensor["address"]: sensor["asked"]["writes"]
        for sensor in document["sensors"].values()
        if sensor["asked"]
    } | {address: counts["writes"] for address, counts in document["others"].items()}
    for address, writes in written.items():
        if writes:
            yield f"address {address} ({times(writes)})"


def _next_step(document: Comparison, site: Path, *, is_ready: bool) -> str:
    bus = document["bus"]
    if not document["frames"]:
        return "next: is the master running? Compare protocol, baud rate and parity, then A and B"
    if not is_ready:
        again = command(f"serial-bridge compare {bus}", site)
        return f"next: put that right, then compare again: {again}"
    install = command("sudo serial-bridge install", site)
    attempt = command(f"serial-bridge try --bus {bus}", site)
    return (
        f"next: when the old master is unplugged, remove `listen = true` from [bus.{bus}], then: "
        f"{install}, and {attempt}"
    )


def _listed(names: list[str]) -> str:
    """Return names as a list of words, the last ones as a number where there are many."""
    rest = len(names) - _MOST_NAMES
    return ", ".join(names) if rest <= 1 else f"{', '.join(names[:_MOST_NAMES])} and {rest} others"
