"""How long a message may be on the way to a server: learned from what is answered, and unlearned with time.

Some paths swallow long datagrams without a word: a tunnel whose ICMP is filtered, a modem, a firewall that
drops fragments. A message that is swallowed for its length would be sent again for ever. So:

    answered          a length that was answered once is proven; silence at that length has another reason
    swallowed         silence at a length above it, while the server answers others: shorter at once, half of
                      it at the least, so that readings flow on; then the path is surveyed
    survey            padded questions of many lengths, which cost no reading its time: the longest that is
                      answered is the new limit
    every 10 minutes  the same survey looks upward again

A survey that passes what a request did not means loss, or a server that swallows long requests alone. The
first time it is taken for loss; the next time the limit is searched by halves with the requests themselves.

Pure: the time is passed in. Lengths are of whole CoAP messages, in bytes, before encryption.
"""

from __future__ import annotations

from collections.abc import Collection

SHORTEST = 320  # never the length's fault up to here; any path carries it
SURVEY_EVERY_S = 600.0
SURVEY_AGAIN_S = 60.0  # after one that was not answered at all
COARSE, FINE = 64, 8  # the steps of a survey's two rounds


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
        self._passed_surveys = 0  # each after a request of a length that the survey then passed
        self._is_new = False  # something was swallowed since the last survey
        self._survey_at_s = 0.0

    def is_proven(self, length: int) -> bool:
        """Return whether a message of this length was answered, so that silence has another reason."""
        return length <= self._proven

    def answered(self, length: int) -> None:
        """Record that a request of this length arrived."""
        self._proven = max(self._proven, length)
        if self._swallowed is None or length >= self._swallowed:
            self._swallowed = None
            self.limit = max(self.limit, length)
        elif self._passed_surveys > 1 and length > self.limit - FINE:
            self.limit = self._halfway()

    def doubt(self, length: int) -> None:
        """Record silence at a proven length while the server lives: the path may have changed."""
        if length > SHORTEST:
            self._proven = min(self._proven, max(SHORTEST, length // 2))

    def swallowed(self, length: int, now_s: float) -> None:
        """Record that a request of this length was not answered, while shorter messages were."""
        if self.is_proven(length):
            return
        self._swallowed = min(length, self._swallowed or length)
        self.limit = min(self.limit, max(self._proven, length // 2))
        if self._passed_surveys > 1:
            self.limit = min(self._halfway(), self.longest)
        self._is_new = True
        self._survey_at_s = now_s

    def is_survey_due(self, now_s: float) -> bool:
        """Return whether the limit is below what the transport allows and was not surveyed for a while."""
        return self.limit < self.longest and now_s >= self._survey_at_s

    def survey(self, passed: int | None = None) -> list[int]:
        """Return the lengths to ask with.

        Args:
            passed: for the second round's finer steps, the longest that was answered in the first round; the
                limit if none was.
        """
        if passed is None:
            return [*range(self.longest, self.limit, -COARSE)]
        return [*range(min(passed + COARSE, self.longest + 1) - FINE, passed, -FINE)]

    def carries(self, length: int) -> None:
        """Take over the result of a survey's first round, until the second is over."""
        if self._swallowed is None or length < self._swallowed:
            self.limit = max(self.limit, length)

    def surveyed(self, answered: Collection[int], now_s: float) -> None:
        """Take over what a survey has found; an empty one says nothing."""
        self._survey_at_s = now_s + (SURVEY_EVERY_S if answered else SURVEY_AGAIN_S)
        if not answered:
            return
        is_new, self._is_new = self._is_new, False
        passed = max(answered)
        if self._swallowed is None or passed < self._swallowed:
            self.carries(passed)
            return
        self._passed_surveys = self._passed_surveys + 1 if is_new else 0
        if self._passed_surveys > 1:
            self.limit = self._halfway()
        else:
            self.limit, self._swallowed = passed, None

    def _halfway(self) -> int:
        """Return the next length to try with a request: between the proven and the swallowed."""
        assert self._swallowed is not None
        if self._swallowed - self._proven <= 2 * FINE:
            return self._proven
        return (self._proven + self._swallowed) // 2
