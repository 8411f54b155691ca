"""Another master on the line, told from a device that answers from another address."""

from __future__ import annotations

from bridge.line.other_master import OtherMaster


def test_frames_that_come_when_ours_was_answered_are_another_masters() -> None:
    other_master = OtherMaster()
    for at in (1.0, 2.0, 3.0):
        other_master.asked()
        other_master.answered()
        assert not other_master.is_likely(at)
        other_master.hears(at)
    assert other_master.is_likely(3.0)


def test_a_device_that_answers_each_request_from_another_address_is_none() -> None:
    other_master = OtherMaster()
    for at in range(100):
        other_master.asked()
        other_master.hears(float(at))
    assert not other_master.is_likely(100.0)


def test_more_frames_than_requests_are_another_masters() -> None:
    other_master = OtherMaster()
    other_master.asked()
    for at in range(4):
        assert not other_master.is_likely(float(at))
        other_master.hears(float(at))
    assert other_master.is_likely(3.0)


def test_a_frame_now_and_then_is_none_and_a_master_that_has_gone_is_forgotten() -> None:
    other_master = OtherMaster()
    for at in (0.0, 40.0, 80.0):
        other_master.hears(at)
        assert not other_master.is_likely(at)
    other_master.hears(81.0)
    other_master.hears(82.0)
    assert other_master.is_likely(82.0)
    assert not other_master.is_likely(200.0)
