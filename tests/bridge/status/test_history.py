"""The last states of a sensor: each change once, the newest last, and no more than a few."""

from __future__ import annotations

from bridge.status.history import StateHistory


def test_a_state_is_in_the_history_from_when_it_began() -> None:
    history = StateHistory()
    for now_ms, state in ((1, "never"), (2, "ok"), (3, "ok"), (4, "silent")):
        documents = history.added_to({"soil": {"state": state}}, now_ms, has_port=True)
    assert documents["soil"]["history"] == [
        {"state": "never", "since": 1},
        {"state": "ok", "since": 2},
        {"state": "silent", "since": 4},
    ]
    documents = history.added_to({"soil": {"state": "silent"}}, 5, has_port=False)
    assert documents["soil"]["history"][-1] == {"state": "no port", "since": 5}


def test_only_the_last_changes_are_kept() -> None:
    history = StateHistory()
    for now_ms in range(100):
        state = "ok" if now_ms % 2 else "silent"
        documents = history.added_to({"soil": {"state": state}}, now_ms, has_port=True)
    assert [change["since"] for change in documents["soil"]["history"]] == list(range(92, 100))
