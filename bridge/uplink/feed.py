"""The unsent readings of one credential, and its state with the server. Pure: the time is passed in.

    spool ─follow▶ live ─┐
    spool ──fill▶ backlog┴─take▶ batch ─▶ server ─▶ decision ─settle▶ delivered | refused | again

A credential sends one batch at a time, so the order of its readings is the order of the spool, twice: the
live ones, taken from the spool's end, go first; the backlog follows and fills the rest of a batch.
Only a window of either is in memory. `next_id` says how far: every reading of the credential up to it is in
memory, sent, or gone from the spool; whatever leaves memory unsent moves it back, and a later scan finds it
again.

A reading that is refused alone (4.00) is quarantined; only its id is kept. Once another reading of the
credential is accepted it is a suspect: read again, sent alone, and refused for good if it is refused alone
once more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, islice

from bridge.spool import Row
from bridge.thingsboard import Action, Batch, Decision, SentMessage, Unsendable, pack
from bridge.uplink.pace import Pace, Wait
from bridge.uplink.throttle import Throttle

_IN_A_ROW = 5  # so many answers of 5.00 are chance or a rate limit; more are a server that fails
_CANDIDATES = 200  # readings looked at for one batch: more than any datagram holds


class Feed:
    """The unsent readings of one credential.

    Attributes:
        sensors: whose readings these are; several sensors may share a device.
        path: where they are posted.
        next_id: every reading up to this id is in memory, sent or gone.
        wait_until: nothing is sent before this moment, in seconds of the caller's clock.
        reason: why the feed waits, in a sentence; None while all is well.
        is_sending: a batch is in flight.
    """

    def __init__(
        self,
        sensors: Sequence[str],
        path: tuple[str, ...],
        pace: Pace,
        *,
        certificate: bool,
        server_time: bool,
    ) -> None:
        self.sensors = tuple(sensors)
        self.path = path
        self.next_id = 0
        self.wait_until = 0.0
        self.reason: str | None = None
        self.is_sending = False
        self._pace = pace
        self._certificate = certificate
        self._server_time = server_time
        self._again: deque[tuple[Row, ...]] = deque()  # each to be sent as a message of its own, first
        self._live: deque[Row] = deque()
        self._backlog: deque[Row] = deque()
        self._known_ids: set[int] = set()  # in memory, quarantined, or delivered and still in the spool
        self._quarantined_ids: set[int] = set()
        self._suspect_ids: set[int] = set()
        self._refused_in_a_row = 0
        self._quarantine_retry_at = 0.0
        self._is_renewed = False
        self._arrived_at = 0.0
        self._hold = Wait(pace.hold_s, pace.jitter)
        self._quiet = Wait(pace.quiet_s, pace.jitter)
        self._throttle = Throttle()
        self._sent_at = 0.0
        self._is_refused = False  # it waits because its last message was answered 5.00

    # From the spool

    @property
    def has_live(self) -> bool:
        """Return whether a live reading waits in memory."""
        return bool(self._live)

    @property
    def has_work(self) -> bool:
        """Return whether any reading waits in memory."""
        return bool(self._again or self._live or self._backlog)

    def is_hungry(self, head: int, now: float) -> bool:
        """Return whether the backlog in memory is short and the spool holds more of it, up to `head`."""
        is_short = len(self._backlog) < self._pace.backlog_rows // 4
        return is_short and self.next_id < head and now >= self.wait_until

    def reconsider(self, now: float) -> None:
        """Schedule the quarantined readings for another read once nothing else is to be sent for a while."""
        if not self.has_work and not self.is_sending and now >= self._quarantine_retry_at:
            self._read_again(self._quarantined_ids)

    def follow(self, row: Row, now: float) -> None:
        """Add a reading that was just spooled; beyond `live_rows`, the oldest live one becomes backlog."""
        self._live.append(row)
        self._known_ids.add(row.id)
        self._arrived_at = now
        self._throttle.record_inflow(row.points, now)
        if len(self._live) > self._pace.live_rows:
            oldest = self._live.popleft()
            self._known_ids.discard(oldest.id)
            self.next_id = min(self.next_id, oldest.id - 1)

    def fill(self, rows: Iterable[Row], after: int, scanned_id: int) -> None:
        """Add this feed's readings from a scan of the ids above `after` and up to `scanned`."""
        if self.next_id < after:  # moved back since the scan began: there is a gap before it
            return
        for row in rows:
            if row.id <= self.next_id or row.id in self._known_ids:
                continue
            if len(self._backlog) >= self._pace.backlog_rows:
                self.next_id = row.id - 1
                return
            self._known_ids.add(row.id)
            if row.id in self._suspect_ids:
                self._again.append((row,))
            else:
                self._backlog.append(row)
        self.next_id = max(self.next_id, scanned_id)

    def forget(self, ids: Iterable[int]) -> None:
        """Forget ids that have left the spool."""
        self._known_ids.difference_update(ids)

    # To the server

    @property
    def is_held(self) -> bool:
        """Return whether the server refused the credential when it was last tried."""
        return self._hold.is_on

    def is_ready(self, now: float, *, probing: bool = False) -> bool:
        """Return whether a batch can be taken.

        Args:
            now: in seconds, on any steady clock.
            probing: also before the feed's time, to probe a server that answers 5.00 to all.
        """
        is_due = now >= self.wait_until or (probing and self._is_refused)
        return self.has_work and not self.is_sending and is_due

    def rate_limit(self, now: float) -> tuple[float, float] | None:
        """Return how many values a second may be sent and since when, while the server's 5.00 limits them."""
        rate = self._throttle.per_s(now)
        since = self._throttle.slowed_since
        return None if rate is None or since is None else (rate, since)

    def release(self, now: float) -> None:
        """Forget the last refusals and the wait after them: the server failed everybody and is back."""
        self._throttle.forgive()
        if self._is_refused:
            self.wait_until = min(self.wait_until, now)

    def take(self, budget: int, now: float) -> Batch:
        """Return the next batch, of at most `budget` bytes. Settle it or put it back before the next one.

        Raises:
            Unsendable: a reading fits no message; it has left memory.
        """
        timed = True
        rows: Sequence[Row]
        if self._again:
            rows = self._again.popleft()
        elif self._server_time and len(self._live) == 1 and now - self._arrived_at <= self._pace.fresh_s:
            rows, timed = [self._live.popleft()], False
        else:
            rows = list(islice(chain(self._live, self._backlog), _CANDIDATES))
            return self._begin_sending(self._take_from_window(rows, budget, now), now)
        try:
            batch = pack(rows, budget, self._throttle.points(rows[0].points, now), timed=timed)
        except Unsendable:
            self._keep_apart(rows[1:])
            raise
        self._keep_apart(rows[len(batch.rows) :])
        return self._begin_sending(batch, now)

    def _take_from_window(self, rows: Sequence[Row], budget: int, now: float) -> Batch:
        """Pack a batch from the first readings and remove them from memory.

        Raises:
            Unsendable: the first reading fits no message; only that one is removed.
        """
        count = 1
        try:
            batch = pack(rows, budget, self._throttle.points(rows[0].points, now))
            count = len(batch.rows)
        finally:
            for _ in range(count):
                (self._live or self._backlog).popleft()
        return batch

    def _keep_apart(self, rows: Sequence[Row]) -> None:
        """Keep readings that did not fit for a message of their own."""
        if rows:
            self._again.appendleft(tuple(rows))

    def _begin_sending(self, batch: Batch, now: float) -> Batch:
        """Record that the batch is in flight."""
        self.is_sending = True
        self._sent_at = now
        return batch

    def put_back(self, batch: Batch) -> None:
        """Take a batch back that was not answered, without blaming it."""
        self.is_sending = False
        self._requeue(batch.rows)

    def take_back(self, row: Row) -> None:
        """Send this reading next, as a message of its own."""
        self._again.appendleft((row,))

    def resume(self) -> None:
        """Make all live readings but the newest backlog: the server answers again after a silence."""
        while len(self._live) > 1:
            self._backlog.append(self._live.popleft())

    def _requeue(self, rows: Sequence[Row]) -> None:
        """Queue readings to be sent again, behind the live ones; a suspect stays in a message of its own."""
        if any(row.id in self._suspect_ids for row in rows):
            self._again.appendleft(tuple(rows))
        else:
            self._backlog.extendleft(reversed(rows))

    def sent_message(self, batch: Batch, *, others_answered: bool) -> SentMessage:
        """Return what the decision on an answer to this batch depends on."""
        return SentMessage(
            readings=len(batch.rows),
            points=batch.points,
            suspect=batch.rows[0].id in self._suspect_ids,
            aside=self._refused_in_a_row,
            certificate=self._certificate,
            renewed=self._is_renewed,
            others_answered=others_answered,
        )

    def settle(self, batch: Batch, decision: Decision, now: float) -> list[int]:
        """Apply the decision on a batch.

        Returns:
            The ids delivered. The caller quarantines a refused reading.
        """
        self.is_sending = False
        match decision.action:
            case Action.COMMIT:
                return self._settle_accepted(batch, now)
            case Action.BISECT:
                half = len(batch.rows) // 2
                self._again.extendleft((batch.rows[half:], batch.rows[:half]))
            case Action.SET_ASIDE | Action.SET_ASIDE_AND_HOLD:
                self._quarantine(batch.rows[0].id, decision, now)
            case Action.REFUSE:
                self._suspect_ids.discard(batch.rows[0].id)
            case Action.HOLD:
                self._requeue(batch.rows)
                self._is_renewed = False
                self._wait(self._hold.longer(), decision.reason, now)
            case Action.SLOW_DOWN:
                self._requeue(batch.rows)
                self._slow_down(batch, decision, now)
            case Action.SHORTEN:
                self._requeue(batch.rows)
                self._throttle.too_large(batch.points, now, alone=len(batch.rows) == 1)
            case Action.WAIT:
                self._requeue(batch.rows)
                self._wait(self._quiet.longer(), decision.reason, now)
            case Action.RENEW | Action.BACK_OFF | Action.HOLD_LINK:
                self._requeue(batch.rows)
                self._is_renewed = self._is_renewed or decision.action is Action.RENEW
        return []

    def _settle_accepted(self, batch: Batch, now: float) -> list[int]:
        """Record that the batch was accepted, and return the ids of the readings that it completes."""
        self._hold.end()
        self._quiet.end()
        self.reason = None
        self._is_refused = False
        self.wait_until = now + self._throttle.record_accepted(batch.points, now)
        self._is_renewed = False
        self._refused_in_a_row = 0
        if batch.rest is not None:
            self._again.appendleft((batch.rest,))
            return []
        delivered = [row.id for row in batch.rows]
        self._suspect_ids.difference_update(delivered)
        self._suspect_ids |= self._quarantined_ids
        self._read_again(self._quarantined_ids)
        return delivered

    def _quarantine(self, id_: int, decision: Decision, now: float) -> None:
        self._quarantined_ids.add(id_)
        self._refused_in_a_row += 1
        self._quarantine_retry_at = now + self._pace.hold_s[0]
        if decision.action is Action.SET_ASIDE_AND_HOLD:
            self._wait(self._hold.longer(), decision.reason, now)

    def _slow_down(self, batch: Batch, decision: Decision, now: float) -> None:
        """Wait as long as the throttle says; only refusal after refusal is a reason to speak of a hold."""
        wait_s = self._throttle.record_refused(batch.points, self._sent_at, now, alone=len(batch.rows) == 1)
        self._is_refused = True
        self.wait_until = now + wait_s
        if self._throttle.refused_in_a_row > _IN_A_ROW:
            self.reason = decision.reason

    def _wait(self, wait_s: float, reason: str, now: float) -> None:
        self.wait_until = now + wait_s
        self.reason = reason
        self._is_refused = False

    def _read_again(self, ids: set[int]) -> None:
        """Move `next_id` back so that the next scan reads these ids again."""
        if ids:
            self.next_id = min(self.next_id, min(ids) - 1)
            self._known_ids -= ids
            ids.clear()
