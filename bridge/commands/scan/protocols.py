"""Which protocols a scan tries: all that can be searched for or heard, or those that are named."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.errors import ConfigError
from protocols import load, names
from protocols.toolkit.errors import PackageError
from protocols.toolkit.protocol import PolledProtocol, Protocol, ProtocolTemplate


def spoken(wanted: Sequence[str] = ()) -> dict[str, Protocol]:
    """Return the protocols to try, by name, the likely ones first.

    Args:
        wanted: their names; (): all that are known.

    Raises:
        ConfigError: there is no such protocol, or it cannot be searched for.
    """
    records: dict[str, Protocol] = {}
    for name in wanted or names():
        try:
            record = load(name)
        except KeyError:
            message = f'"{name}" is not a protocol; `serial-bridge protocols` lists them'
            raise ConfigError([message]) from None
        except PackageError:
            if wanted:
                raise
            continue  # one broken package must not keep others from being found
        if isinstance(record, ProtocolTemplate):
            if wanted:
                raise ConfigError([f"{record.title}: only a bus declares it, so it cannot be searched for"])
            continue
        if wanted and isinstance(record, PolledProtocol) and record.scanning is None:
            raise ConfigError([f"{record.title}: scan cannot search for it yet; try: serial-bridge try"])
        records[name] = record
    return records
