"""One credential's readings on their way, on a clock the test moves."""

from __future__ import annotations

import pytest

from bridge.errors import UplinkError
from bridge.response_code import ResponseCode
from bridge.spool import Row
from bridge.thingsboard import Batch, Unsendable, decide, encode_values
from bridge.uplink.feed import Feed
from bridge.uplink.message_size import ALONE
from bridge.uplink.pace import Pace, Wait

PACE = Pace(jitter=0.0, live_rows=4, backlog_rows=8)
BUDGET = 1024


def row(id_: int, **values: float) -> Row:
    body, points = encode_values(values or {"number": id_})
    return Row(id_, "meter", 1000 + id_, points, body)


def feed(pace: Pace = PACE, *, server_time: bool = False, certificate: bool = False) -> Feed:
    """Return one that is past its first, gentle messages."""
    subject = Feed(["meter"], ("api",), pace, certificate=certificate, server_time=server_time)
    subject._throttle.record_accepted(1000, 0.0)
    return subject


def ids(batch: Batch) -> list[int]:
    return [taken.id for taken in batch.rows]


SILENCE = UplinkError("tb:5683 was silent")


def answered(feed: Feed, batch: Batch, answer: str, now: float = 0.0) -> list[int]:
    decision = decide(ResponseCode(answer), feed.sent_message(batch, others_answered=False))
    return feed.settle(batch, decision, now)


class TestWindows:
    def test_live_readings_go_first_and_the_backlog_fills_the_message(self) -> None:
        subject = feed()
        subject.fill([row(1), row(2)], 0, 10)
        subject.follow(row(11), 0.0)
        assert ids(subject.take(BUDGET, 0.0)) == [11, 1, 2]
        assert not subject.has_work

    def test_of_too_many_live_readings_the_newest_stay_and_the_others_are_found_again(self) -> None:
        subject = feed()
        subject.next_id = 26
        for id_ in range(20, 27):
            subject.follow(row(id_), 0.0)
        assert subject.next_id == 19
        assert subject.is_hungry(26, 0.0)
        subject.fill([row(id_) for id_ in range(20, 27)], 19, 26)
        assert not subject.is_hungry(26, 0.0)
        assert ids(subject.take(BUDGET, 0.0)) == [23, 24, 25, 26, 20, 21, 22]

    def test_of_a_scan_that_brings_too_many_the_rest_is_left_for_the_next(self) -> None:
        subject = feed()
        subject.fill([row(id_) for id_ in range(1, 20)], 0, 5000)
        assert subject.next_id == 8
        assert not subject.is_hungry(5000, 0.0)
        assert ids(subject.take(BUDGET, 0.0)) == list(range(1, 9))
        subject.fill([row(id_) for id_ in range(9, 12)], 8, 5000)
        assert subject.next_id == 5000
        assert ids(subject.take(BUDGET, 0.0)) == [9, 10, 11]

    def test_a_scan_that_began_after_a_gap_is_not_believed(self) -> None:
        subject = feed()
        subject.next_id = 50
        subject.fill([row(101)], 100, 200)
        assert (subject.next_id, subject.has_work) == (50, False)

    def test_what_was_delivered_and_is_still_in_the_spool_is_not_taken_again(self) -> None:
        subject = feed()
        subject.fill([row(1)], 0, 1)
        assert answered(subject, subject.take(BUDGET, 0.0), "2.01") == [1]
        subject.next_id = 0
        subject.fill([row(1), row(2)], 0, 2)
        assert ids(subject.take(BUDGET, 0.0)) == [2]

    def test_one_that_waits_does_not_read_on(self) -> None:
        subject = feed()
        subject.fill([row(1)], 0, 1)
        answered(subject, subject.take(BUDGET, 0.0), "4.01")
        assert not subject.is_hungry(100, 59.0)
        assert subject.is_hungry(100, 60.0)

    def test_what_fits_no_message_leaves_and_the_rest_stays(self) -> None:
        subject = feed()
        body, points = encode_values({"text": "x" * 3000})
        subject.fill([Row(1, "meter", 1, points, body), row(2)], 0, 2)
        with pytest.raises(Unsendable):
            subject.take(BUDGET, 0.0)
        assert subject.is_ready(0.0)
        assert ids(subject.take(BUDGET, 0.0)) == [2]


class TestSettling:
    def test_one_batch_at_a_time(self) -> None:
        subject = feed()
        subject.fill([row(1)], 0, 1)
        batch = subject.take(BUDGET, 0.0)
        subject.follow(row(2), 0.0)
        assert not subject.is_ready(0.0)
        subject.put_back(batch)
        assert subject.is_ready(0.0)
        assert ids(subject.take(BUDGET, 0.0)) == [2, 1]

    def test_a_guilty_reading_is_found_in_logarithmic_time_and_condemned_the_second_time(self) -> None:
        subject = feed(Pace(jitter=0.0))
        rows = {id_: row(id_) for id_ in range(1, 65)}
        subject.fill(rows.values(), 0, 64)
        delivered: set[int] = set()
        requests, condemned = 0, None
        while condemned is None:
            batch = subject.take(10_000, 0.0)
            requests += 1
            guilty = 37 in ids(batch)
            if guilty and subject.sent_message(batch, others_answered=False).suspect:
                condemned = ids(batch)
            delivered.update(answered(subject, batch, "4.00" if guilty else "2.01"))
            if subject.next_id < 64:
                after = subject.next_id
                subject.fill([r for r in rows.values() if r.id > after and r.id not in delivered], after, 64)
        assert condemned == [37]
        while subject.has_work:
            delivered.update(answered(subject, subject.take(10_000, 0.0), "2.01"))
        assert delivered == rows.keys() - {37}
        assert requests <= 2 * 6 + 2

    def test_three_refused_in_a_row_hold_the_credential_and_condemn_nobody(self) -> None:
        subject = feed()
        subject.fill([row(1), row(2), row(3), row(4)], 0, 4)
        for _ in range(6):
            if subject.is_ready(0.0):
                answered(subject, subject.take(BUDGET, 0.0), "4.00")
        assert subject.wait_until == 60.0
        assert subject.reason is not None
        assert "payload type" in subject.reason

    def test_what_was_refused_under_a_wrong_profile_is_delivered_under_the_right_one(self) -> None:
        subject = feed()
        subject.fill([row(1), row(2)], 0, 2)
        for _ in range(3):
            answered(subject, subject.take(BUDGET, 0.0), "4.00")
        assert not subject.has_work
        subject.follow(row(3), 1.0)
        assert answered(subject, subject.take(BUDGET, 1.0), "2.01", 1.0) == [3]
        assert subject.next_id == 0
        subject.fill([row(1), row(2)], 0, 3)
        assert answered(subject, subject.take(BUDGET, 1.0), "2.01", 1.0) == [1]
        assert answered(subject, subject.take(BUDGET, 1.0), "2.01", 1.0) == [2]

    def test_with_nothing_else_to_send_what_was_set_aside_is_tried_again_after_a_hold(self) -> None:
        subject = feed()
        subject.fill([row(1)], 0, 1)
        answered(subject, subject.take(BUDGET, 0.0), "4.00")
        subject.reconsider(59.0)
        assert not subject.is_hungry(1, 59.0)
        subject.reconsider(60.0)
        assert subject.is_hungry(1, 60.0)

    def test_holds_double_up_to_a_quarter_of_an_hour_and_end_with_the_first_2_01(self) -> None:
        subject = feed()
        subject.fill([row(1), row(2)], 0, 2)
        now, waits = 0.0, []
        for _ in range(6):
            answered(subject, subject.take(BUDGET, now), "4.01", now)
            waits.append(subject.wait_until - now)
            now = subject.wait_until
        assert waits == [60, 120, 240, 480, 900, 900]
        answered(subject, subject.take(BUDGET, now), "2.01", now)
        assert (subject.reason, subject.wait_until) == (None, now)
        subject.follow(row(3), now)
        answered(subject, subject.take(BUDGET, now), "4.01", now)
        assert subject.wait_until == now + 60

    def test_a_certificate_makes_one_fresh_handshake_before_each_hold(self) -> None:
        subject = feed(certificate=True)
        subject.fill([row(1)], 0, 1)
        now, holds = 0.0, 0
        for _ in range(6):
            answered(subject, subject.take(BUDGET, now), "4.01", now)
            holds += subject.wait_until > now
            now = max(now, subject.wait_until)
        assert holds == 3

    def test_a_late_refusal_counts_from_when_its_message_was_sent(self) -> None:
        subject = feed()
        for id_ in (1, 2):
            subject.follow(row(id_), 0.0)
        answered(subject, subject.take(BUDGET, 0.0), "5.00", 0.2)
        batch = subject.take(BUDGET, 3.5)
        subject._throttle.record_accepted(100_000, 5.0)
        answered(subject, batch, "5.00", 12.0)
        assert subject.rate_limit(12.0) == (pytest.approx(700, rel=0.02), 0.2)

    def test_a_message_refused_twice_is_halved_and_one_reading_is_cut_only_after_many(self) -> None:
        subject = feed()
        subject.fill([row(id_, a=1, b=2, c=3, d=4) for id_ in range(1, 9)], 0, 8)
        now, points = 0.0, []
        for _ in range(14):
            batch = subject.take(BUDGET, now)
            points.append(batch.points)
            answered(subject, batch, "5.00", now)
            assert now < subject.wait_until <= now + 5
            now = subject.wait_until
        assert points == [32, 32, 16, 8] + [4] * 8 + [2] * 2
        delivered: list[int] = []
        while subject.has_work:
            delivered += answered(subject, subject.take(BUDGET, now), "2.01", now)
            now = subject.wait_until
        assert delivered == list(range(1, 9))

    def test_one_5_00_is_no_hold_but_many_in_a_row_are(self) -> None:
        subject, now = feed(), 0.0
        subject.fill([row(1)], 0, 1)
        reasons, slowed = [], []
        for _ in range(8):
            answered(subject, subject.take(BUDGET, now), "5.00", now)
            reasons.append(subject.reason is not None)
            slowed.append(subject.rate_limit(now) is not None)
            now = subject.wait_until
        assert reasons == [False] * 5 + [True] * 3
        assert slowed[:5] == [True] * 5

    def test_silence_while_others_are_answered_teaches_no_rate(self) -> None:
        subject, now = feed(), 0.0
        subject.fill([row(1)], 0, 1)
        waits = []
        for _ in range(6):
            batch = subject.take(BUDGET, now)
            subject.settle(batch, decide(SILENCE, subject.sent_message(batch, others_answered=True)), now)
            waits.append(subject.wait_until - now)
            now = subject.wait_until
        assert waits == [1, 2, 4, 5, 5, 5]
        assert subject.rate_limit(now) is None
        assert subject.reason == "tb:5683 was silent"
        assert answered(subject, subject.take(BUDGET, now), "2.01", now) == [1]
        assert (subject.wait_until, subject.reason) == (now, None)

    def test_a_message_too_long_is_halved_at_once_and_one_value_is_set_aside(self) -> None:
        subject = feed()
        subject.fill([row(1, a=1, b=2), row(2, a=1, b=2)], 0, 2)
        points = []
        for _ in range(4):
            batch = subject.take(BUDGET, 0.0)
            points.append(batch.points)
            answered(subject, batch, "4.13")
        assert points == [4, 2, 1, 1]  # the first reading is set aside: the second is next

    @pytest.mark.parametrize("answer", ["4.00", "4.08", "4.31", "3.00"])
    def test_a_reading_that_is_refused_does_not_hold_those_behind_it(self, answer: str) -> None:
        subject = feed()
        subject.fill([row(1)], 0, 1)
        assert answered(subject, subject.take(BUDGET, 0.0), answer) == []
        subject.follow(row(2), 0.0)
        assert answered(subject, subject.take(BUDGET, 0.0), "2.01") == [2]

    def test_a_suspect_is_sent_alone_whatever_else_waits_and_however_often(self) -> None:
        subject = feed()
        subject.fill([row(1), row(2)], 0, 2)
        answered(subject, subject.take(BUDGET, 0.0), "4.00")
        answered(subject, subject.take(BUDGET, 0.0), "4.00")
        assert answered(subject, subject.take(BUDGET, 0.0), "2.01") == [2]
        subject.fill([row(1), row(3), row(4)], 0, 4)
        subject.follow(row(5), 0.0)
        for lost in (SILENCE, ResponseCode("5.00"), ResponseCode("4.01")):
            batch = subject.take(BUDGET, subject.wait_until)
            assert ids(batch) == [1]
            subject.settle(
                batch, decide(lost, subject.sent_message(batch, others_answered=False)), subject.wait_until
            )
        batch = subject.take(BUDGET, subject.wait_until)
        assert ids(batch) == [1]
        subject.put_back(batch)
        assert ids(subject.take(BUDGET, subject.wait_until)) == [1]

    def test_after_a_silence_only_the_newest_of_what_waited_is_live(self) -> None:
        subject = feed()
        subject.fill([row(1), row(2)], 0, 2)
        batch = subject.take(BUDGET, 0.0)
        for id_ in (3, 4, 5):
            subject.follow(row(id_), 0.0)
        subject.put_back(batch)
        subject.resume()
        assert ids(subject.take(BUDGET, 0.0)) == [5, 1, 2, 3, 4]

    def test_a_reading_cut_into_parts_is_delivered_with_the_last_of_them(self) -> None:
        subject = feed()
        subject.fill([row(1, a=1, b=2, c=3, d=4), row(2)], 0, 2)
        now = 0.0
        for _ in range(ALONE):
            answered(subject, subject.take(60, now), "5.00", now)
            now = subject.wait_until
        outcomes = []
        while subject.has_work:
            outcomes.append(answered(subject, subject.take(60, now), "2.01", now))
            now = subject.wait_until
        assert [outcome for outcome in outcomes if outcome] == [[1], [2]]
        assert len(outcomes) > 2


class TestServerTime:
    def test_a_fresh_reading_alone_goes_without_its_timestamp(self) -> None:
        subject = feed(server_time=True)
        subject.fill([row(1)], 0, 1)
        subject.follow(row(2), 0.0)
        assert subject.take(BUDGET, 1.0).payload == b'[{"number":2}]'

    def test_one_that_had_to_wait_keeps_its_own(self) -> None:
        subject = feed(server_time=True)
        subject.follow(row(2), 0.0)
        batch = subject.take(BUDGET, 0.0)
        subject.put_back(batch)
        assert subject.take(BUDGET, 0.0).payload == b'[{"ts":1002,"values":{"number":2}}]'
        late = feed(server_time=True)
        late.follow(row(3), 0.0)
        assert b'"ts":1003' in late.take(BUDGET, 6.0).payload


def test_a_wait_doubles_within_its_bounds_and_jitters() -> None:
    steady = Wait((1.0, 60.0), 0.0)
    assert [steady.longer() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    steady.end()
    assert not steady.is_on
    assert steady.longer() == 1
    waits = [Wait((1.0, 60.0), 0.25).longer() for _ in range(200)]
    assert 0.75 <= min(waits) < 0.9
    assert 1.1 < max(waits) <= 1.25
