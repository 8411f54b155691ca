"""What a sensor's last poll did not give, or gave in doubt: each value with the reason. It is logged once.

A sensor that answers and does not give all its values is `partly`, from the first poll on. The log is calmer:
a value counts there once it was missing, or in doubt, in three polls in a row, and again once it is back.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from bridge.reader.schedule import SILENT_AFTER

_log = logging.getLogger(__name__)


class Shortfall:
    """The values of one sensor that are missing or in doubt.

    Attributes:
        missing: the keys without a value, each with the reason.
        doubts: a sentence for each value in doubt, by its key.
        left_out: of the missing keys those that are not asked for at present.
    """

    def __init__(self, sensor: str) -> None:
        self.missing: Mapping[str, str] = {}
        self.doubts: Mapping[str, str] = {}
        self._sensor = sensor
        self.left_out: Mapping[str, str] = {}
        self._polls: Counter[str] = Counter()  # in a row in which a key was missing or in doubt
        self._logged: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Return whether the last poll gave every value, none in doubt."""
        return not self.missing and not self.doubts

    @property
    def sentence(self) -> str:
        """Say what is missing and in doubt; "" if nothing is."""
        sentences = [*self.doubts.values()]
        if self.missing:
            keys_of: dict[str, list[str]] = {}
            for key, reason in self.missing.items():
                keys_of.setdefault(reason, []).append(key)
            lacking = "; ".join(f"{', '.join(keys)} ({reason})" for reason, keys in keys_of.items())
            sentences.insert(0, f"does not give {lacking}")
        return "; ".join(sentences)

    def take(
        self, missing: Mapping[str, str], doubts: Mapping[str, str], left_out: Mapping[str, str]
    ) -> None:
        """Take note of a poll that was answered.

        Args:
            missing: the keys that it gave no value for, each with the reason.
            doubts: a sentence for each value in doubt, by its key.
            left_out: the keys that are not asked for at present, each with the reason.
        """
        self.missing, self.doubts, self.left_out = {**missing, **left_out}, doubts, left_out

    def log(self, *, was_read: bool) -> None:
        """Log what is newly missing for good, or in doubt, and what is back.

        Args:
            was_read: everything was read, so that what is missing was not given; what was not read may be
                read the next time, and is missing for good once it is left out.
        """
        if not self._polls and not self._logged and self.is_empty:
            return
        short = (self.missing.keys() if was_read else self.left_out.keys()) | self.doubts.keys()
        self._polls = Counter({key: self._polls[key] + 1 for key in short})
        sure = {key for key, polls in self._polls.items() if polls >= SILENT_AFTER or key in self.left_out}
        self._log(sure - self._logged)
        if back := sorted(self._logged - self.missing.keys() - self.doubts.keys()):
            _log.info("%s gives %s again", self._sensor, ", ".join(back))
        self._logged = (self._logged & (self.missing.keys() | self.doubts.keys())) | sure

    def _log(self, keys: set[str]) -> None:
        """Log keys that are missing or in doubt, a line for each reason."""
        keys_of: dict[str, list[str]] = {}
        for key in sorted(keys):
            if key in self.doubts:
                _log.warning("%s: %s", self._sensor, self.doubts[key])
            else:
                keys_of.setdefault(self.missing[key], []).append(key)
        for reason, named in keys_of.items():
            _log.warning(
                "%s does not give %s (%s)%s",
                self._sensor,
                ", ".join(named),
                reason,
                ": left out, next tries further apart, up to an hour; if the device has no such value, "
                "remove it from site.toml"
                if self.left_out.keys() & set(named)
                else "",
            )
