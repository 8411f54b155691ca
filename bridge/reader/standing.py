"""What is said of a sensor that this bridge does not ask: whether it is heard, and which values cannot be."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bridge.causes import Diagnosis
from bridge.reader.doubt import Reread, doubts
from bridge.reader.group import SensorState
from bridge.reader.shortfall import Shortfall
from protocols.toolkit.polling import Values

if TYPE_CHECKING:
    from bridge.status.documents import SensorDocument

_log = logging.getLogger(__name__)


class Standing:
    """The state of one sensor, with the reason; each change is logged.

    Args:
        sensor: its name.
        units: of its values, as far as they are known.
        is_heard: what is said of it while it is heard.
    """

    def __init__(self, sensor: str, units: Mapping[str, str], is_heard: str) -> None:
        self._sensor = sensor
        self._units = units
        self._is_heard = is_heard
        self._state = SensorState.NEVER
        self._said: Diagnosis | None = None
        self._shortfall = Shortfall(sensor)

    def heard(self, values: Values, reread: Reread = lambda key: ()) -> None:
        """Record values of the sensor; what was said of other values than these stands.

        Args:
            values: what it said.
            reread: yields how else a key could be read.
        """
        self._enter(SensorState.OK, None)
        earlier = {key: said for key, said in self._shortfall.doubts.items() if key not in values}
        self._shortfall.take({}, {**earlier, **doubts(values, self._units, reread)}, {})
        self._shortfall.log(was_read=True)

    def fell_silent(self, said: Diagnosis) -> None:
        """Record that the sensor was not heard for its time-out, and why."""
        self._enter(SensorState.SILENT, said)

    def document(self) -> SensorDocument:
        """Return the part of the status document about the state of the sensor."""
        is_partly = self._state is SensorState.OK and not self._shortfall.is_empty
        return {
            "state": (SensorState.PARTLY if is_partly else self._state).value,
            "trouble": str(self._said) if self._said else self._shortfall.sentence or None,
            "left_out": dict(self._shortfall.missing),
            "doubts": dict(self._shortfall.doubts),
        }

    def _enter(self, state: SensorState, said: Diagnosis | None) -> None:
        is_same = state is self._state and (said and said.cause) == (self._said and self._said.cause)
        self._state, self._said = state, said
        if not is_same:
            level = logging.INFO if said is None else logging.WARNING
            _log.log(level, "%s %s", self._sensor, said or self._is_heard)
