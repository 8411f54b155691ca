"""`protocols`: the protocols that a bus can speak: those that ship, then those of other packages."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from bridge import plain_text
from protocols import CATALOGUE, load, load_plugin
from protocols.toolkit import plugins
from protocols.toolkit.errors import PackageError
from protocols.toolkit.protocol import CatalogueEntry, PolledProtocol, ProtocolTemplate

_MANNER = {True: "polled", False: "pushing", None: "polled or pushing, as declared"}


class ProtocolRow(TypedDict):
    """A row of `protocols --json`; of a protocol that cannot be used, name, package and error alone."""

    name: str
    package: str | None  # the package that brings it; None for one that ships
    version: str | None  # of the package
    title: NotRequired[str]
    spec: NotRequired[str]
    line: NotRequired[str | None]  # the line settings where a site names none
    asked: NotRequired[bool | None]  # its sensors are polled; None: each bus declares that
    models: NotRequired[int]
    error: NotRequired[str]


def listing() -> list[ProtocolRow]:
    """Return one row a protocol.

    A protocol of a package has the package's name and version; one that cannot be used has the error instead.
    """
    rows = [_row(load(name)) for name in CATALOGUE]
    for name in dict.fromkeys(plugins.names()):
        origins = plugins.origins(name)
        try:
            rows.append(_row(load_plugin(name), origins[0]))
        except PackageError as error:
            rows += [
                {
                    "name": name,
                    "package": origin.package,
                    "version": origin.version,
                    "error": str(error),
                }
                for origin in origins
            ]
    return rows


def listing_text(rows: list[ProtocolRow]) -> str:
    """Return the listing for people."""
    width = max(len(row["name"]) for row in rows) + 2
    lines = []
    for row in rows:
        if "error" in row:
            lines.append(f"{row['name']:<{width}}not used: {row['error']}")
            continue
        traits = [row["title"], _MANNER[row["asked"]], *([row["line"]] if row["line"] else [])]
        spec = row["spec"] + (f" (from {row['package']} {row['version']})" if row["package"] else "")
        lines += [f"{row['name']:<{width}}{', '.join(traits)}", f"{'':<{width}}{spec}"]
    return plain_text.lines(lines)


def is_polled(entry: CatalogueEntry) -> bool | None:
    """Return whether the sensors are polled; False if they push, None if each bus declares that."""
    return None if isinstance(entry, ProtocolTemplate) else isinstance(entry, PolledProtocol)


def _row(entry: CatalogueEntry, origin: plugins.Origin | None = None) -> ProtocolRow:
    return {
        "name": entry.name,
        "title": entry.title,
        "spec": entry.spec,
        "line": str(entry.line) if entry.line else None,
        "asked": is_polled(entry),
        "models": len(entry.model_names),
        "package": origin.package if origin else None,
        "version": origin.version if origin else None,
    }
