"""Whether the last reading of a sensor got lost on its way: what "report on change" must know.

A reading that expired, was refused or dropped leaves the server with an older value, and the sensor's memory
of what it published is wrong. Whatever left the queue otherwise than by delivery is in the books; so once the
queue of a watched sensor is empty, its losses are compared with those from before its last reading came.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from bridge.spool.ledger import Account


class LossWatch:
    """What a writer knows of the sensors that ask. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: set[str] = set()
        self._lost: set[str] = set()
        self._losses_before: dict[str, int] = {}

    @property
    def is_waiting(self) -> bool:
        """Return whether a reading of a sensor that asks is on its way."""
        return bool(self._losses_before)

    def was_lost(self, sensor: str) -> bool:
        """Return whether the last reading was lost since the last call; watch the sensor from now on."""
        with self._lock:
            self._asking.add(sensor)
            was_lost = sensor in self._lost
            self._lost.discard(sensor)
            return was_lost

    def lose(self, sensor: str) -> None:
        """Note that a reading of the sensor never reached the queue."""
        with self._lock:
            if sensor in self._asking:
                self._lost.add(sensor)

    def concerns(self, sensors: Iterable[str]) -> bool:
        """Return whether one of the sensors asks."""
        with self._lock:
            return not self._asking.isdisjoint(sensors)

    def expect(self, sensors: Iterable[str], ledger: Mapping[str, Account]) -> None:
        """Note the losses so far of the sensors whose readings are queued next."""
        with self._lock:
            for sensor in self._asking.intersection(sensors):
                account = ledger.get(sensor)
                self._losses_before[sensor] = account.lost if account else 0

    def look(self, ledger: Mapping[str, Account]) -> None:
        """Compare the losses of sensors whose queue is empty by now."""
        with self._lock:
            for sensor, before in list(self._losses_before.items()):
                account = ledger.get(sensor)
                if account is not None and account.queued:
                    continue
                del self._losses_before[sensor]
                if account is None or account.lost > before:
                    self._lost.add(sensor)
