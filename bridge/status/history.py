"""The last states of each sensor, with the time of each change: what `status SENSOR` shows of the past."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bridge.status.documents import SensorDocument, StateChange


NO_PORT: Final = "no port"
_KEPT: Final = 8  # changes of one sensor


class StateHistory:
    """The last changes of the state of each sensor of a bus. Pure: time is passed in."""

    def __init__(self) -> None:
        self._changes: dict[str, deque[StateChange]] = {}

    def added_to(
        self, sensors: Mapping[str, SensorDocument], now_ms: int, *, has_port: bool
    ) -> dict[str, SensorDocument]:
        """Return the documents of the sensors with their histories, the newest change last.

        Args:
            sensors: what the reader says of each sensor now.
            now_ms: milliseconds since 1970.
            has_port: whether their port is there; without it none of them can be in another state.
        """
        documents: dict[str, SensorDocument] = {}
        for name, document in sensors.items():
            changes = self._changes.setdefault(name, deque(maxlen=_KEPT))
            state = document["state"] if has_port else NO_PORT
            if not changes or changes[-1]["state"] != state:
                changes.append({"state": state, "since": now_ms})
            documents[name] = {**document, "history": list(changes)}
        return documents
