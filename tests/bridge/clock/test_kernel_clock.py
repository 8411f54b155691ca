"""What this machine and its kernel say, and laid-out RTCs."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.clock import BUILD_DATE, Told, kernel_clock
from bridge.clock.kernel_clock import boot_id, has_set_clock_at_boot, is_synchronized, system_clock
from bridge.status.runtime import CLOCK, Runtime

NS = 1_000_000_000
NOW_S = int((BUILD_DATE + timedelta(days=100)).timestamp())


def rtc(folder: Path, name: str, hctosys: str, shows_s: int) -> None:
    (folder / name).mkdir()
    (folder / name / "hctosys").write_text(f"{hctosys}\n")
    (folder / name / "since_epoch").write_text(f"{shows_s}\n")


def test_it_tells_this_boot_and_this_time() -> None:
    clock = system_clock("system")
    now = clock.now()
    assert len(now.boot_id) == 36
    stamp = clock.ts_ms(now, "meter")
    assert stamp is not None
    assert abs(stamp - time.time() * 1000) < 60_000


def test_the_kernel_answers_whether_it_is_synchronized() -> None:
    assert is_synchronized() in (True, False)


@pytest.mark.parametrize(
    ("hctosys", "shows_s", "expected"),
    [("1", NOW_S, True), ("0", NOW_S, False), ("1", 86_400, False), ("1", 946_684_800, False)],
    ids=["set by it", "not set by it", "flat: counts from 1970", "flat: counts from 2000"],
)
def test_an_rtc_counts_if_it_set_the_clock_and_was_not_flat(
    tmp_path: Path, hctosys: str, shows_s: int, expected: bool
) -> None:
    rtc(tmp_path, "rtc0", hctosys, shows_s)
    assert has_set_clock_at_boot(tmp_path, "aarch64") is expected
    assert has_set_clock_at_boot(tmp_path, "x86_64") is expected


def test_one_good_rtc_of_several_is_enough(tmp_path: Path) -> None:
    rtc(tmp_path, "rtc0", "0", 86_400)
    rtc(tmp_path, "rtc1", "1", NOW_S)
    assert has_set_clock_at_boot(tmp_path, "aarch64")


def test_a_pc_whose_rtc_is_not_shown_has_one_and_a_board_has_none(tmp_path: Path) -> None:
    assert has_set_clock_at_boot(tmp_path, "x86_64")
    assert not has_set_clock_at_boot(tmp_path, "aarch64")


@pytest.mark.parametrize(
    ("shown", "is_synced", "has_rtc", "expected"),
    [
        (timedelta(days=1), False, True, "set by an RTC"),
        (timedelta(days=19 * 365), False, True, "set by an RTC"),
        (timedelta(days=-1), False, True, None),
        (timedelta(days=21 * 365), False, True, None),
        (timedelta(days=1), False, False, None),
        (timedelta(days=1), True, False, "synchronized"),
    ],
    ids=["RTC", "RTC, late", "before the build", "RTC wild", "plausible is not enough", "NTP"],
)
def test_auto_believes_the_kernel_or_a_plausible_rtc(
    monkeypatch: pytest.MonkeyPatch, shown: timedelta, is_synced: bool, has_rtc: bool, expected: str | None
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: int((BUILD_DATE + shown).timestamp()) * NS)
    monkeypatch.setattr(kernel_clock, "is_synchronized", lambda: is_synced)
    monkeypatch.setattr(kernel_clock, "has_set_clock_at_boot", lambda: has_rtc)
    source = system_clock("auto").source
    assert expected in source if expected and source else source is None, source


def test_system_believes_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1000 * NS)
    clock = system_clock("system")
    assert clock.ts_ms(clock.now(), "meter") == 1_000_000


def test_what_the_uplink_was_told_reaches_the_clocks_of_other_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(kernel_clock, "is_synchronized", lambda: False)
    monkeypatch.setattr(kernel_clock, "has_set_clock_at_boot", lambda: False)
    runtime = Runtime(tmp_path / "spool.db")
    runtime.publish(CLOCK, {"boot_id": boot_id(), "offset_ns": NOW_S * NS, "source": "the clock of tb"})
    clock = system_clock("auto", runtime)
    assert clock.known == Told(boot_id(), NOW_S * NS, "the clock of tb")
    assert system_clock("auto").known is None
