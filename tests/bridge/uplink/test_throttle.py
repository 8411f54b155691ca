"""What the throttle makes of 5.00: a rate limit, a server that fails in part, one that fails for a while."""

from __future__ import annotations

import random

import pytest

from bridge.simulator.server.device_api import RateLimit
from bridge.uplink.message_size import ALONE, MessageSize
from bridge.uplink.rate import DECREASE_EVERY_S, Rate
from bridge.uplink.throttle import FLOOR_S, Throttle
from tests.benchmarks import partial_failure

READING = 10  # values
ROUND_TRIP_S = 0.05
MOST = 60  # values that a datagram holds


def drain(limit: str, readings: int, comes_every_s: float | None = None) -> tuple[float, int, int]:
    """Send a backlog, and what comes meanwhile, as fast as may be: seconds, accepted, refused."""
    server, throttle = RateLimit(limit, 0.0), Throttle()
    now, due, left, accepted, refused = 0.0, 0.0, readings * READING, 0, 0
    while left:
        while comes_every_s is not None and due <= now:
            throttle.record_inflow(READING, due)
            left += READING
            due += comes_every_s
        points = min(throttle.points(READING, now), MOST, left)
        points -= points % READING if points > READING else 0
        sent_at, now = now, now + ROUND_TRIP_S
        if server.take(points, now):
            accepted += 1
            left -= points
            now += throttle.record_accepted(points, now)
        else:
            refused += 1
            now += throttle.record_refused(points, sent_at, now, alone=points <= READING)
    return now, accepted, refused


class TestRateLimit:
    @pytest.mark.parametrize(
        ("limit", "per_s"),
        [("20:1,600:60", 10), ("10:1", 10), ("100:1,1000:60", 16), ("50:10", 5), ("4:1", 4)],
    )
    def test_few_are_refused_and_most_of_the_limit_is_used(self, limit: str, per_s: float) -> None:
        elapsed_s, accepted, refused = drain(limit, 1440)
        assert refused < 0.05 * (accepted + refused) + 10  # what it takes to find the limit
        assert elapsed_s < 1440 * READING / per_s / 0.6

    @pytest.mark.parametrize(("limit", "per_s"), [("20:1,600:60", 10), ("10:1", 10), ("50:10", 5)])
    def test_a_backlog_drains_while_two_thirds_of_the_limit_come_in(self, limit: str, per_s: float) -> None:
        elapsed_s, accepted, refused = drain(limit, 360, comes_every_s=1.5 * READING / per_s)
        assert refused < 0.05 * (accepted + refused)
        assert elapsed_s < 360 * READING / (per_s / 3) * 2.5

    def test_a_bucket_smaller_than_a_reading_cuts_it(self) -> None:
        throttle, server, now = Throttle(), RateLimit("4:1", 0.0), 0.0
        while not server.take(points := throttle.points(READING, now), now):
            now += throttle.record_refused(points, now, now, alone=True)
        assert points <= 4
        assert now < 30

    def test_without_a_limit_it_takes_a_few_messages_to_fill_them(self) -> None:
        throttle = Throttle()
        sizes = []
        for _ in range(5):
            sizes.append(min(throttle.points(READING, 0.0), MOST))
            assert throttle.record_accepted(sizes[-1], 0.0) == 0
        assert sizes == [10, 20, 40, 60, 60]


class TestPartialFailure:
    @pytest.mark.parametrize("bucket", partial_failure.BUCKETS)
    @pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.6])
    def test_live_readings_go_on_and_all_is_caught_up_soon_after(
        self, share: float, bucket: str | None
    ) -> None:
        runs = [
            partial_failure.run(share, duration_s, bucket, values, seed)
            for values in partial_failure.VALUES
            for duration_s in (60.0, 600.0)
            for seed in range(4)
        ]
        late = sorted(late_s for run in runs for late_s in run.late_s)
        assert late[int(0.95 * len(late))] <= 2 * partial_failure.LATE_S
        if share <= 0.5:
            assert late[int(0.95 * len(late))] <= partial_failure.LATE_S
        assert all(run.caught_up_s <= run.allowed_s for run in runs)

    def test_six_hours_leave_nothing_behind(self) -> None:
        run = partial_failure.run(0.3, 6 * 3600.0, None, 10, 1)
        assert run.queued < 10
        assert run.caught_up_s < 60

    def test_a_rate_never_underflows(self) -> None:
        """With nothing that comes in, and half of all refused for a year."""
        throttle, now, chance = Throttle(), 0.0, random.Random(1)
        for _ in range(20_000):
            now += 1500
            points = throttle.points(1, now)
            if chance.random() < 0.5:
                assert throttle.record_refused(points, now, now, alone=True) <= FLOOR_S
            else:
                assert throttle.record_accepted(points, now) <= FLOOR_S
            now += 4
            throttle.record_refused(1, now, now, alone=True)

    def test_refusals_one_after_the_other_never_wait_longer_than_the_floor(self) -> None:
        throttle, now = Throttle(), 0.0
        throttle.record_inflow(READING, now)
        for _ in range(2000):
            wait_s = throttle.record_refused(throttle.points(READING, now), now, now, alone=True)
            assert 0 < wait_s <= FLOOR_S
            now += wait_s

    def test_a_failure_of_the_server_teaches_no_rate(self) -> None:
        throttle, now = Throttle(), 100.0
        throttle.record_accepted(MOST, now)
        for _ in range(100):
            now += throttle.record_refused(throttle.points(READING, now), now, now, alone=True)
        sent = 0
        ends = now + 10
        while now < ends:
            points = min(throttle.points(READING, now), MOST)
            sent += points
            now += throttle.record_accepted(points, now) + ROUND_TRIP_S
        assert sent > 5000

    def test_refusals_of_a_reading_too_large_teach_no_rate(self) -> None:
        """Those end when it is cut: at that pace a bucket refills."""
        throttle, now = Throttle(), 0.0
        for _ in range(ALONE):
            throttle.record_refused(READING, now, now, alone=True)
            now += 0.5
        assert throttle.record_accepted(throttle.points(READING, now), now) == 0.0
        assert throttle.slowed_since is None


class TestRate:
    def limited(self) -> Rate:
        rate = Rate()
        rate.record_accepted(100, 0.0)
        rate.record_refused(10, 0.1, 0.2)
        assert rate.per_s(0.2) == pytest.approx(70)
        return rate

    def test_one_decrease_in_a_few_seconds(self) -> None:
        rate = self.limited()
        rate.record_refused(10, 1.0, 1.1)
        rate.record_refused(10, 2.0, 2.1)
        assert (rate.per_s(DECREASE_EVERY_S) or 0) > 70
        rate.record_accepted(500, 2.5)
        rate.record_refused(10, DECREASE_EVERY_S + 1, DECREASE_EVERY_S + 1)
        assert (rate.per_s(DECREASE_EVERY_S + 1) or 0) < 80

    def test_a_request_sent_before_the_last_decrease_is_no_evidence(self) -> None:
        rate = self.limited()
        again = self.limited()
        again.record_refused(10, 0.1, 4.0)
        assert again.per_s(6.0) == rate.per_s(6.0)
        again.record_refused(10, 3.5, 4.5)
        assert (again.per_s(6.0) or 0) < (rate.per_s(6.0) or 0)

    def test_what_is_lowered_is_the_rate_at_which_the_refused_request_was_sent(self) -> None:
        """It was answered late, when time had raised the rate again."""
        rate = self.limited()
        rate.record_accepted(10_000, 5.0)
        rate.record_refused(10, 3.5, 12.0)
        assert rate.per_s(12.0) == pytest.approx(70, rel=0.02)

    def test_a_limit_fades_with_time_though_nothing_is_sent(self) -> None:
        rate = self.limited()
        assert rate.limited_since == 0.2
        assert rate.per_s(20.0) is None
        assert rate.limited_since is None

    def test_a_limit_met_where_it_was_expected_is_approached_more_patiently(self) -> None:
        rate, now = self.limited(), 0.2
        intervals = []
        for _ in range(4):
            began = now
            while (rate.per_s(now) or 1e9) < 105:
                now += 0.1
                rate.record_accepted(10, now)
            rate.record_accepted(int(100 * (now - began)), now)
            rate.record_refused(10, now, now)
            intervals.append(now - began)
        assert intervals == sorted(intervals)
        assert intervals[-1] > 2 * intervals[0]

    def test_it_is_never_below_what_comes_in(self) -> None:
        rate, now = Rate(), 0.0
        for number in range(600):
            now = 0.1 * number
            rate.record_inflow(10, now)
            if number % 2:
                rate.record_accepted(10, now)
            else:
                rate.record_refused(10, now, now)
            if number > 50:
                assert (rate.per_s(now) or 1e9) >= 100


class TestMessageSize:
    def proven(self, points: int) -> MessageSize:
        size = MessageSize()
        size.record_accepted(points)
        return size

    def test_a_size_that_was_accepted_is_not_given_up_for_one_refusal(self) -> None:
        size = self.proven(40)
        size.record_refused(40, 0.0, alone=False)
        assert size.points(10, 0.0) == 40
        size.record_refused(40, 0.0, alone=False)
        assert size.points(10, 0.0) == 20

    def test_a_larger_one_that_is_refused_is_tried_again_further_and_further_apart(self) -> None:
        size, now, tried = self.proven(20), 0.0, []
        while now < 600:
            now += 0.5
            if (points := size.points(10, now)) > 20:
                tried.append(now)
                size.record_refused(points, now, alone=False)
            else:
                size.record_accepted(points)
        assert len(tried) < 12
        assert tried[-1] - tried[-2] > 100

    def test_a_reading_is_cut_only_if_it_is_refused_alone_again_and_again(self) -> None:
        size = MessageSize()
        for _ in range(ALONE - 1):
            size.record_refused(10, 0.0, alone=True)
            assert size.points(10, 0.0) == 10
        size.record_refused(10, 0.0, alone=True)
        assert size.points(10, 0.0) == 5
        assert size.points(4, 0.0) == 5  # a shorter one is not cut
        size.record_accepted(5)
        size.record_accepted(10)
        assert size.points(10, 0.0) >= 10

    def test_a_longer_reading_of_the_same_credential_is_cut_too_if_it_must_be(self) -> None:
        size = self.proven(10)
        for _ in range(ALONE):
            assert size.points(30, 0.0) == 30
            size.record_refused(30, 0.0, alone=True)
        assert size.points(30, 0.0) == 15
        assert size.points(10, 0.0) >= 10
