"""A comparison for the person at the cabinet."""

from __future__ import annotations

from collections.abc import Iterator

from bridge import plain_text
from bridge.commands.check.bus_load import figure
from bridge.commands.compare.amounts import counted, times
from bridge.commands.compare.comparison import Comparison, RequestCounts, SensorComparison, ValueComparison


def text(document: Comparison) -> str:
    """Return the comparison, sensor by sensor, and the verdict."""
    return plain_text.lines(_lines(document))


def _lines(document: Comparison) -> Iterator[str]:
    planned = figure(f"{100 * document['planned_share']:.1f} %", is_lower_bound=document["is_lower_bound"])
    yield (
        f"bus {document['bus']}: {document['seconds']:.0f} s, {document['requests']} requests of the master, "
        f"{document['answered']} answered"
    )
    yield (
        f"wire: {100 * document['wire_share']:.1f} % of its time now, {planned} as site.toml would poll it; "
        f"{document['noise_octets']} octets in no frame"
    )
    for reason, replies in document["unpaired"].items():
        yield f"  {counted(replies, 'reply', 'replies')} {reason}"
    for name, sensor in document["sensors"].items():
        yield from _sensor(name, sensor)
    for address, counts in document["others"].items():
        yield f"address {address}, no sensor of site.toml: {_asked(counts)}"
    yield ""
    yield from document["verdict"]


def _sensor(name: str, sensor: SensorComparison) -> Iterator[str]:
    address = f" (address {sensor['address']})" if sensor["address"] else ""
    asked = _asked(sensor["asked"]) if sensor["asked"] else "not asked by its address"
    every = f"every {sensor['every_s']:g} s" if sensor["every_s"] else "as often as the line allows"
    yield f"{name}{address}: {asked}"
    yield f"  site.toml: {counted(sensor['planned_requests'], 'request')} {every}"
    for key, value in sensor["values"].items():
        yield f"  {key:<24} {_value(value)}"


def _asked(counts: RequestCounts) -> str:
    return ", ".join(
        [
            f"asked {times(counts['requests'])}",
            f"{_percent(counts['answered'], counts['requests'])} answered",
            *(
                f"{_percent(count, counts['requests'])} {label}"
                for label, count in (
                    ("refused", counts["refused"]),
                    ("without a reply", counts["unanswered"]),
                    ("late or in doubt", counts["doubtful"]),
                )
                if count
            ),
            *([counted(counts["writes"], "write")] if counts["writes"] else []),
            *([f"replies within {counts['slowest_ms']:.0f} ms"] if counts["answered"] else []),
        ]
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"


def _value(value: ValueComparison) -> str:
    if value["never_read"] is not None:
        return f"never read ({value['never_read']})"
    if not value["reads"]:
        return "read, and no value by this map"
    every = f" every {value['every_s']:.3g} s" if value["every_s"] is not None else ""
    unit = f" {value['unit']}" if value["unit"] else ""
    least, most = value["least"], value["most"]
    spread = f" ({least:g} to {most:g})" if least is not None and most is not None and least != most else ""
    doubt = "  in doubt" if value["doubt"] else ""
    return f"{times(value['reads'])}{every}, last {value['last']}{unit}{spread}{doubt}"
