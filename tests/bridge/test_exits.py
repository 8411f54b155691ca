"""How a process ends: every foreseen error is a sentence, also out of tasks that ran side by side."""

from __future__ import annotations

import pytest

from bridge.errors import BridgeError, ConfigError, SpoolFull
from bridge.exits import foreseen_errors


def test_tasks_that_failed_side_by_side_say_each_sentence_once(capsys: pytest.CaptureFixture[str]) -> None:
    full = "no room on the disk for spool.db"
    tasks = ExceptionGroup(
        "tasks",
        [SpoolFull(full), ExceptionGroup("more", [SpoolFull(full), ConfigError(["a.toml:1: no", "b"])])],
    )
    with pytest.raises(SystemExit) as ended, foreseen_errors():
        raise tasks
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{full}\na.toml:1: no\nb\n"


def test_an_error_that_nobody_foresaw_keeps_its_traceback() -> None:
    tasks = ExceptionGroup("tasks", [BridgeError("the port is gone"), ZeroDivisionError("1/0")])
    with pytest.raises(ExceptionGroup) as raised, foreseen_errors():
        raise tasks
    assert raised.value is tasks
