"""Line statistics: the counters of a bus are kept across restarts.

So are the last values of each sensor: where one is replaced, its counters are continued from them.

The counters of a bus are a small file beside the spool, replaced at stop and every ten minutes, not forced to
the disk: 144 writes of some kilobytes a day. A power cut may cost ten minutes of counting, but no reading: so
this is not for the spool and its forced commits. Everything but the counters (a percentile, a share) begins
afresh.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bridge.files import acting_as_owner, acts_as_another, read_regular, replace_regular
from protocols.toolkit.polling import Values

if TYPE_CHECKING:
    from bridge.status.documents import BusDocument, LineDocument, SensorDocument

_log = logging.getLogger(__name__)

SAVE_EVERY_S = 600.0
_LARGEST_BYTES = 10_000_000

OF_SENSOR = (
    "requests",
    "replies",
    "timeouts",
    "crc_errors",
    "exceptions",
    "exception_codes",
    "late_replies",
    "missed_slots",
    "empty",
    "unchanged",
    "incomplete",
    "out_of_limits",
    "telegrams",
    "thinned",
)
OF_LINE = (
    "requests",
    "replies",
    "timeouts",
    "crc_errors",
    "late_replies",
    "foreign_frames",
    "stray_octets",
    "echoes",
    "frames",
    "nonsense",
)
LAST = ("last_ts", "last_values")


class Memory:
    """The counters of a bus from before this start.

    Attributes:
        save_every_s: seconds from one `save` to the next.
    """

    def __init__(self, path: Path, save_every_s: float = SAVE_EVERY_S) -> None:
        """Read the counters; they begin at 0 if the file is missing or damaged.

        Args:
            path: the file that `save` replaces.
            save_every_s: seconds from one `save` to the next.
        """
        self.save_every_s = save_every_s
        self._path = path
        self._sensors: Mapping[str, Mapping[str, object]] = {}
        self._line: Mapping[str, object] = {}
        try:
            with acting_as_owner(path.parent):
                document = json.loads(read_regular(path, _LARGEST_BYTES))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.warning("%s: line statistics begin afresh (%s)", path, error)
            return
        match document:
            case {"sensors": dict(sensors), "line": dict(line)}:
                self._sensors = {name: counts for name, counts in sensors.items() if isinstance(counts, dict)}
                self._line = line

    def total(self, document: BusDocument) -> BusDocument:
        """Return a bus's status document with the counters from before this start added to its own."""
        return {
            **document,
            "sensors": {
                name: cast("SensorDocument", _plus(counts, self._sensors.get(name, {}), OF_SENSOR))
                for name, counts in document["sensors"].items()
            },
            "line": cast("LineDocument", _plus(document["line"], self._line, OF_LINE)),
        }

    def text(self, total: BusDocument) -> bytes:
        """Return the counters of a document from `total`, as `save` writes them."""
        counters = {
            "sensors": {
                name: {**_only(counts, OF_SENSOR), **self._last(name, counts)}
                for name, counts in total["sensors"].items()
            },
            "line": _only(total["line"], OF_LINE),
        }
        return json.dumps(counters).encode()

    def save(self, text: bytes) -> None:
        """Write the counters to the file; log a disk that refuses, and go on. Blocks as long as the disk."""
        try:
            with acting_as_owner(self._path.parent):
                replace_regular(self._path, text, is_sole_writer=True)
        except OSError as error:
            _log.warning("%s: line statistics are not kept (%s)", self._path, error)

    @property
    def is_of_another_user(self) -> bool:
        """Return whether `save` changes the rights of this process while it lasts."""
        return acts_as_another(self._path.parent)

    def last(self, sensor: str) -> tuple[int | None, Values] | None:
        """Return a sensor's last values before this start and their time, ms since 1970; None if unknown."""
        match self._sensors.get(sensor):
            case {"last_ts": int() | None as ts_ms, "last_values": dict(values)} if values:
                return ts_ms, values
        return None

    def _last(self, name: str, counts: Mapping[str, object]) -> dict[str, object]:
        """Return the last values of a sensor; those from before this start while it has not answered."""
        source = counts if counts.get("last_values") else self._sensors.get(name, {})
        return _only(source, LAST)


def _plus(
    counts: Mapping[str, object], earlier: Mapping[str, object], keys: tuple[str, ...]
) -> dict[str, object]:
    """Return `counts` with those of `keys` that both count added up, codes of exceptions one by one."""
    total = dict(counts)
    for key in keys:
        count, earlier_count = counts.get(key), earlier.get(key)
        if isinstance(count, Mapping) and isinstance(earlier_count, Mapping):
            codes = {**earlier_count, **count}
            total[key] = {code: count.get(code, 0) + earlier_count.get(code, 0) for code in codes}
        elif isinstance(count, int) and isinstance(earlier_count, int):
            total[key] = count + earlier_count
    return total


def _only(counts: Mapping[str, object], keys: tuple[str, ...]) -> dict[str, object]:
    return {key: counts[key] for key in keys if key in counts}
