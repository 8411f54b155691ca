"""What one credential still has to send, and how it fares: pure, the time is passed in.

    spool ─follow▶ live ─┐
    spool ──fill▶ backlog┴─take▶ batch ─▶ server ─▶ decision ─settle▶ delivered | refused | again

A credential sends one batch at a time, so the order of its readings is the order of the spool, twice: the
live ones, taken from the spool's end, go first; the backlog follows, and fills what room a batch has left.
Only a window of either is in memory. `next_id` says how far: every reading of the credential up to it is in
memory, sent, or gone from the spool; whatever leaves memory unsent moves it back, and a later scan finds it
again.

A reading that is refused alone (4.00) is set aside; only its id is kept. Once another reading of the
credential is accepted it is a suspect: read again, sent alone, and condemned if it is refused alone once
more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, islice

from bridge.spool import Row
from bridge.thingsboard import Action, Batch, Decision, Sent, Unsendable, pack
from bridge.uplink.pace import Pace, Wait
from bridge.uplink.throttle import Throttle

_IN_A_ROW = 5  # so many answers of 5.00 are chance or a rate limit; more are a server that fails
_CANDIDATES = 200  # readings looked at for one batch: more than any datagram holds


class Feed:
    """The readings of one credential on their way.

    Attributes:
        sensors: whose readings these are; several sensors may share a device.
        path: where they are posted.
        next_id: every reading up to this id is in memory, sent or gone.
        wait_until: nothing is sent before this moment.
        reason: why it waits, in a sentence; None while all is well.
        is_sending: a batch is under way.
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
        self._known: set[int] = set()  # in memory, set aside, or delivered and still in the spool
        self._aside: set[int] = set()
        self._suspects: set[int] = set()
        self._refused_in_a_row = 0
        self._look_aside_at = 0.0
        self._renewed = False
        self._arrived_at = 0.0
        self._hold = Wait(pace.hold_s, pace.jitter)
        self._quiet = Wait(pace.quiet_s, pace.jitter)
        self._throttle = Throttle()
        self._sent_at = 0.0
        self._is_refused = False  # it waits because its last message was answered 5.00

    # From the spool

    @property
    def has_live(self) -> bool:
        """A reading waits that is not from the backlog."""
        return bool(self._live)

    @property
    def has_work(self) -> bool:
        """Something waits in memory."""
        return bool(self._again or self._live or self._backlog)

    def is_hungry(self, head: int, now: float) -> bool:
        """Its backlog should be read further, up to `head`."""
        short = len(self._backlog) < self._pace.backlog_rows // 4
        return short and self.next_id < head and now >= self.wait_until

    def reconsider(self, now: float) -> None:
        """With nothing else to send, what was set aside is tried again after a while."""
        if not self.has_work and not self.is_sending and now >= self._look_aside_at:
            self._read_again(self._aside)

    def follow(self, row: Row, now: float) -> None:
        """Takes a reading that has just come. Of too many, the newest stay; the others are backlog."""
        self._live.append(row)
        self._known.add(row.id)
        self._arrived_at = now
        self._throttle.came(row.points, now)
        if len(self._live) > self._pace.live_rows:
            oldest = self._live.popleft()
            self._known.discard(oldest.id)
            self.next_id = min(self.next_id, oldest.id - 1)

    def fill(self, rows: Iterable[Row], after: int, scanned: int) -> None:
        """Takes its readings of a scan of the ids above `after` and up to `scanned`."""
        if self.next_id < after:  # moved back since the scan began: there is a gap before it
            return
        for row in rows:
            if row.id <= self.next_id or row.id in self._known:
                continue
            if len(self._backlog) >= self._pace.backlog_rows:
                self.next_id = row.id - 1
                return
            self._known.add(row.id)
            if row.id in self._suspects:
                self._again.append((row,))
            else:
                self._backlog.append(row)
        self.next_id = max(self.next_id, scanned)

    def forget(self, ids: Iterable[int]) -> None:
        """These have left the spool."""
        self._known.difference_update(ids)

    # To the server

    @property
    def is_held(self) -> bool:
        """The server did not accept the credential when it was last asked."""
        return self._hold.is_on

    def is_ready(self, now: float, *, probing: bool = False) -> bool:
        """Whether a batch may be taken; to probe a server that answers 5.00 to all, also before its time."""
        is_due = now >= self.wait_until or (probing and self._is_refused)
        return self.has_work and not self.is_sending and is_due

    def slowed(self, now: float) -> tuple[float, float] | None:
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
        """The next batch, of at most `budget` bytes. It is settled or put back before the next one.

        Raises:
            Unsendable: a reading that fits no message; it has left memory.
        """
        timed = True
        rows: Sequence[Row]
        if self._again:
            rows = self._again.popleft()
        elif self._server_time and len(self._live) == 1 and now - self._arrived_at <= self._pace.fresh_s:
            rows, timed = [self._live.popleft()], False
        else:
            rows = list(islice(chain(self._live, self._backlog), _CANDIDATES))
            return self._sending(self._take_from_window(rows, budget, now), now)
        try:
            batch = pack(rows, budget, self._throttle.points(rows[0].points, now), timed=timed)
        except Unsendable:
            self._keep_apart(rows[1:])
            raise
        self._keep_apart(rows[len(batch.rows) :])
        return self._sending(batch, now)

    def _take_from_window(self, rows: Sequence[Row], budget: int, now: float) -> Batch:
        count = 1
        try:
            batch = pack(rows, budget, self._throttle.points(rows[0].points, now))
            count = len(batch.rows)
        finally:
            for _ in range(count):
                (self._live or self._backlog).popleft()
        return batch

    def _keep_apart(self, rows: Sequence[Row]) -> None:
        if rows:
            self._again.appendleft(tuple(rows))

    def _sending(self, batch: Batch, now: float) -> Batch:
        self.is_sending = True
        self._sent_at = now
        return batch

    def put_back(self, batch: Batch) -> None:
        """The batch was not answered, and that is not its fault."""
        self.is_sending = False
        self._return(batch.rows)

    def take_back(self, row: Row) -> None:
        """Send this reading next, as a message of its own."""
        self._again.appendleft((row,))

    def resume(self) -> None:
        """The server answers again after a silence: of what waited, only the newest is live."""
        while len(self._live) > 1:
            self._backlog.append(self._live.popleft())

    def _return(self, rows: Sequence[Row]) -> None:
        """These are to be sent again, behind what is live; a suspect still alone."""
        if any(row.id in self._suspects for row in rows):
            self._again.appendleft(tuple(rows))
        else:
            self._backlog.extendleft(reversed(rows))

    def sent(self, batch: Batch, *, others_answered: bool) -> Sent:
        """What the decision on an answer to this batch must know."""
        return Sent(
            readings=len(batch.rows),
            points=batch.points,
            suspect=batch.rows[0].id in self._suspects,
            aside=self._refused_in_a_row,
            certificate=self._certificate,
            renewed=self._renewed,
            others_answered=others_answered,
        )

    def settle(self, batch: Batch, decision: Decision, now: float) -> list[int]:
        """Does what was decided about a batch.

        Returns:
            Ids delivered. A refused reading is the caller's to keep apart.
        """
        self.is_sending = False
        match decision.action:
            case Action.COMMIT:
                return self._accepted(batch, now)
            case Action.BISECT:
                half = len(batch.rows) // 2
                self._again.extendleft((batch.rows[half:], batch.rows[:half]))
            case Action.SET_ASIDE | Action.SET_ASIDE_AND_HOLD:
                self._quarantine(batch.rows[0].id, decision, now)
            case Action.REFUSE:
                self._suspects.discard(batch.rows[0].id)
            case Action.HOLD:
                self._return(batch.rows)
                self._renewed = False
                self._wait(self._hold.longer(), decision.reason, now)
            case Action.SLOW_DOWN:
                self._return(batch.rows)
                self._slow_down(batch, decision, now)
            case Action.SHORTEN:
                self._return(batch.rows)
                self._throttle.too_large(batch.points, now, alone=len(batch.rows) == 1)
            case Action.WAIT:
                self._return(batch.rows)
                self._wait(self._quiet.longer(), decision.reason, now)
            case Action.RENEW | Action.BACK_OFF | Action.HOLD_LINK:
                self._return(batch.rows)
                self._renewed = self._renewed or decision.action is Action.RENEW
        return []

    def _accepted(self, batch: Batch, now: float) -> list[int]:
        self._hold.end()
        self._quiet.end()
        self.reason = None
        self._is_refused = False
        self.wait_until = now + self._throttle.accepted(batch.points, now)
        self._renewed = False
        self._refused_in_a_row = 0
        if batch.rest is not None:
            self._again.appendleft((batch.rest,))
            return []
        delivered = [row.id for row in batch.rows]
        self._suspects.difference_update(delivered)
        self._suspects |= self._aside
        self._read_again(self._aside)
        return delivered

    def _quarantine(self, id_: int, decision: Decision, now: float) -> None:
        self._aside.add(id_)
        self._refused_in_a_row += 1
        self._look_aside_at = now + self._pace.hold_s[0]
        if decision.action is Action.SET_ASIDE_AND_HOLD:
            self._wait(self._hold.longer(), decision.reason, now)

    def _slow_down(self, batch: Batch, decision: Decision, now: float) -> None:
        """Wait as long as the throttle says; only refusal after refusal is a reason to speak of a hold."""
        wait_s = self._throttle.refused(batch.points, self._sent_at, now, alone=len(batch.rows) == 1)
        self._is_refused = True
        self.wait_until = now + wait_s
        if self._throttle.refused_in_a_row > _IN_A_ROW:
            self.reason = decision.reason

    def _wait(self, wait_s: float, reason: str, now: float) -> None:
        self.wait_until = now + wait_s
        self.reason = reason
        self._is_refused = False

    def _read_again(self, ids: set[int]) -> None:
        """Has the next scan find these readings once more."""
        if ids:
            self.next_id = min(self.next_id, min(ids) - 1)
            self._known -= ids
            ids.clear()
