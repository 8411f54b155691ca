"""Dead is dead: in a short play of a site, each death is one alarm, and a dead gateway is one alarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.activity import SHORT, played


@pytest.fixture(autouse=True)
def _runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))


def test_each_death_is_one_alarm_and_a_gateway_that_is_away_is_one(tmp_path: Path) -> None:
    verdict = played(SHORT, tmp_path)
    assert (verdict.deaths, verdict.in_time) == (3, 3)
    assert verdict.false == []
    assert (verdict.gateway_away, verdict.of_gateway) == (2, 2)


def test_statistics_on_each_sensors_own_device_make_it_flap(tmp_path: Path) -> None:
    assert len(played(SHORT, tmp_path, as_it_was=True).false) > 5
