"""What one address owes, and what may be asked of it meanwhile."""

from __future__ import annotations

import math

from bridge.line.reply_timeout import KNOWN_AFTER
from bridge.line.station import HOLD_S, Station
from protocols.modbus.rtu import adu
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Request
from tests.bridge.line.test_line import asking, telling

REPLY = Frame(telling(1, 1, 2))
REFUSAL = Frame(adu(1, bytes((0x83, 2))))
FIRST, RIVAL, OTHER_LENGTH = asking(1, 0), asking(1, 50), asking(1, 50, 3)
LIMIT_S = 0.5


def known() -> Station:
    """A station whose second reply and turn-around are no question any more; the last one was at 20.01 s."""
    station = Station()
    for number in range(1, KNOWN_AFTER + 1):
        station.record_request(FIRST, float(number), is_retry=False)
        station.record_reply(REPLY, number + 0.01, number + 0.02)
    return station


def miss(station: Station, request: Request, at: float) -> None:
    station.record_request(request, at, is_retry=False)
    station.record_timeout(LIMIT_S, is_damaged=False)


def test_a_request_without_rival_is_asked_again_at_once_though_its_last_reply_was_slow() -> None:
    station = known()
    miss(station, FIRST, 30.0)
    station.takes(REPLY, 34.0)
    miss(station, FIRST, 35.0)
    station.reply_timeout.answered_at_once()
    miss(station, FIRST, 36.0)
    assert station.is_owing
    assert station.clear_at(FIRST) == -math.inf
    assert station.clear_at(OTHER_LENGTH) == -math.inf
    assert station.clear_at(RIVAL) > 36.0 + HOLD_S / 2


def test_with_a_rival_it_waits_half_as_long_again_as_the_slowest_reply() -> None:
    station = known()
    station.record_held(RIVAL)
    miss(station, FIRST, 30.0)
    station.takes(REPLY, 32.0)
    station.reply_timeout.answered_at_once()
    miss(station, FIRST, 40.0)
    assert station.clear_at(FIRST) == 40.0 + 1.5 * 2.0


def test_a_refusal_that_may_be_to_two_requests_ends_the_wait_for_neither_reply() -> None:
    station = known()
    miss(station, FIRST, 30.0)
    station.record_request(OTHER_LENGTH, 30.6, is_retry=False)
    late = station.takes(REFUSAL, 30.7)
    assert late is not None
    assert not late.is_certain
    station.record_timeout(LIMIT_S, is_damaged=False)
    assert station.clear_at(RIVAL) == 30.0 + HOLD_S
    assert station.clear_at(asking(1, 100, 3)) == 30.6 + HOLD_S


def test_a_rival_waits_from_the_last_try_on_as_that_may_be_the_one_that_is_owed() -> None:
    station = known()
    miss(station, FIRST, 30.0)
    station.record_request(FIRST, 40.0, is_retry=False)
    station.record_reply(REPLY, 40.01, 40.02)
    assert station.clear_at(RIVAL) == 40.0 + HOLD_S


def test_a_late_reply_to_one_of_two_tries_is_certain_unless_there_is_a_rival() -> None:
    for has_rival in (False, True):
        station = known()
        if has_rival:
            station.record_held(RIVAL)
        miss(station, FIRST, 30.0)
        miss(station, FIRST, 31.0)
        late = station.takes(REPLY, 31.7)
        assert late is not None
        assert late.is_certain == (not has_rival)
