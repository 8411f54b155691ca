"""How long a message may be on the way to a server: learned from what is answered, and unlearned with time.

Some paths swallow long datagrams without a word: a tunnel whose ICMP is filtered, a modem, a firewall that
drops fragments. A message that is swallowed for its length would be sent again for ever. So:

    answered          a length that was answered once is proven; silence at that length has another reason.
                      An acknowledgement proves nothing: the server has the request, and may drop it
    swallowed         silence at a length above it, while the server answers others: shorter at once, half of
                      it at the least, so that readings flow on; then the path is surveyed
    survey            padded questions of many lengths, which cost no reading its time: the longest that is
                      answered is the new limit
    every 10 minutes  the same survey looks upward again

A survey that passes what a request did not means loss, or a server that swallows long requests alone. The
first time it is taken for loss; the next time the limit is searched by halves with the requests themselves.
So it is at once for a request that was asked twice of a server that is there (`record_ignored`), which may
acknowledge what it then drops. Readings seldom fill a message to the last byte, so every answer moves the
search on. Silence may have been chance here too: after some answers the shortest length that had none is
tried again, further and further apart; once it is answered, nothing is left of the search.

Pure: the time is passed in. Lengths are of whole CoAP messages, in bytes, before encryption.
"""

from __future__ import annotations

from collections.abc import Collection

SHORTEST = 320  # never the length's fault up to here; any path carries it
SURVEY_EVERY_S = 600.0
SURVEY_AGAIN_S = 60.0  # after one that was not answered at all
COARSE, FINE = 64, 8  # the steps of a survey's two rounds
_BELIEVED_DOUBTS = 2  # in a row: one alone is loss more often than not
_SEARCH_AFTER = 2  # surveys that passed what a request did not
_RETRY_AFTER = (8, 1024)  # answers: when the upper end of a search is tried again, and at the latest


class PathLimit:
    """The longest message on the way to one server; clients to the same server share it.

    Attributes:
        longest: what the transport allows; nothing above it is ever sent.
        limit: what the path is known or hoped to carry now.
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.limit = longest
        self._proven = SHORTEST
        self._swallowed: int | None = None  # the shortest that was
        self._doubts = 0
        self._passed_surveys = 0  # each after a request of a length that the survey then passed
        self._answers = 0  # since something was swallowed
        self._retry_after = _RETRY_AFTER[0]
        self._is_new = False  # something was swallowed since the last survey
        self._survey_at_s = 0.0

    def is_proven(self, length: int) -> bool:
        """Return whether a message of this length was answered, so that silence has another reason."""
        return length <= self._proven

    def record_answer(self, length: int) -> None:
        """Record that a request of this length was answered, whatever the answer says."""
        if 2 * length > self._proven:
            self._doubts = 0
        self._proven = max(self._proven, length)
        if self._swallowed is None or length >= self._swallowed:
            if self._is_searching:
                self._end_search()
            self._swallowed = None
            self.limit = max(self.limit, length)
        elif self._is_searching:
            self._answers += 1
            self.limit = min(self._swallowed, self.longest) if self._is_retrying else self._halfway()

    def doubt(self, length: int) -> None:
        """Record silence at a proven length while the server lives: path or server may have changed."""
        if length <= SHORTEST:
            return
        self._doubts += 1
        if self._doubts >= _BELIEVED_DOUBTS:
            self._doubts = 0
            self._proven = min(self._proven, max(SHORTEST, length // 2))

    def record_loss(self, length: int, now_s: float) -> None:
        """Record that a request of this length was not answered, while shorter messages were."""
        if self.is_proven(length):
            return
        if self._is_retrying:
            self._retry_after = min(2 * self._retry_after, _RETRY_AFTER[1])
        self._answers = 0
        self._swallowed = min(length, self._swallowed or length)
        self.limit = min(self.limit, max(self._proven, length // 2))
        if self._is_searching:
            self.limit = min(self._halfway(), self.longest)
        self._is_new = True
        self._survey_at_s = now_s

    def record_ignored(self, length: int, now_s: float) -> bool:
        """Record that a request of this length was not answered, twice, by a server that answers pings.

        Returns:
            True if the length may be the reason: it is not proven, and shorter messages are to be sent.
        """
        if self.is_proven(length):
            return False
        self._passed_surveys = max(self._passed_surveys, _SEARCH_AFTER)
        self.record_loss(length, now_s)
        return True

    def is_survey_due(self, now_s: float) -> bool:
        """Return whether the limit is below what the transport allows and was not surveyed for a while."""
        return self.limit < self.longest and now_s >= self._survey_at_s

    def survey(self, longest_arrived: int | None = None) -> list[int]:
        """Return the lengths to ask with, in bytes.

        Args:
            longest_arrived: for the second round's finer steps, the longest that was answered in the first
                round; the limit if none was. None for the first round.
        """
        if longest_arrived is None:
            return [*range(self.longest, self.limit, -COARSE)]
        return [*range(min(longest_arrived + COARSE, self.longest + 1) - FINE, longest_arrived, -FINE)]

    def apply_first_round(self, length: int) -> None:
        """Apply the result of a survey's first round, until the second round is over."""
        if self._swallowed is None or length < self._swallowed:
            self.limit = max(self.limit, length)

    def finish_survey(self, arrived_lengths: Collection[int], now_s: float) -> None:
        """Apply the lengths that a survey found to arrive; an empty collection proves nothing."""
        self._survey_at_s = now_s + (SURVEY_EVERY_S if arrived_lengths else SURVEY_AGAIN_S)
        if not arrived_lengths:
            return
        is_new, self._is_new = self._is_new, False
        passed = max(arrived_lengths)
        if self._swallowed is None or passed < self._swallowed:
            self._passed_surveys = 0  # it is the path
            self.apply_first_round(passed)
            return
        self._passed_surveys = self._passed_surveys + 1 if is_new else 0
        if self._is_searching:
            self.limit = self._halfway()
        else:
            self.limit, self._swallowed = passed, None

    @property
    def _is_searching(self) -> bool:
        return self._passed_surveys >= _SEARCH_AFTER

    @property
    def _is_retrying(self) -> bool:
        return self._answers >= self._retry_after

    def _end_search(self) -> None:
        self.limit = self.longest
        self._passed_surveys = 0
        self._retry_after = _RETRY_AFTER[0]

    def _halfway(self) -> int:
        """Return the next length to try with a request: between the proven and the swallowed."""
        assert self._swallowed is not None
        if self._swallowed - self._proven <= 2 * FINE:
            return self._proven
        return (self._proven + self._swallowed) // 2
