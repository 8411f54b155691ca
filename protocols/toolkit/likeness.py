"""Which of a master's requests do the replies of a unit answer, judged by what they hold.

A unit that may be one reply behind gives the content of one request to another. What each request brought
while that was certain is remembered. If replies are again and again more like that of their own request than
like that of any other, and never the other way round, the unit is not behind: being behind would exchange
them all. Nothing is said where the contents are too much alike to tell, where they change too much to be
known again, or where the doubt lasts so long that what is remembered is out of date.
"""

from __future__ import annotations

from typing import Final

_LEAST_OCTETS: Final = 48  # more like their own, of all replies together …
_LEAST_MARGIN: Final = 3  # … and of one that counts: two pumps may change places
_LEAST_SHARE: Final = 0.6  # of the octets of these replies, that are as they were
_LEAST_REPLIES: Final = 8
_LEAST_REQUESTS: Final = 2
_MOST_JUDGED: Final = 256  # replies; by then registers may have changed places, as it were
_MOST_CONTENTS: Final = 64  # of one kind; what a master asks beyond them is not judged


class Likeness:
    """The replies to the requests of one kind."""

    __slots__ = ("_answered", "_contents", "_judged", "_octets", "_replies", "_same", "_total")

    def __init__(self) -> None:
        self._contents: dict[bytes, bytes] = {}  # by request
        self._judged = self._replies = self._octets = self._same = self._total = 0
        self._answered: set[bytes] = set()

    def learn(self, request: bytes, content: bytes) -> None:
        """Take a reply that is certain."""
        if request in self._contents or len(self._contents) < _MOST_CONTENTS:
            self._contents[request] = content
        self.doubt()

    def doubt(self) -> None:
        """Begin to judge: what is taken from now on may be the reply to another request."""
        self._judged = 0
        self._begin_anew()

    def is_in_step(self, request: bytes, content: bytes) -> bool:
        """Take a reply in doubt; return whether all that was taken says that each answers its own request."""
        earlier_content = self._contents.get(request)
        others = [other for asked, other in self._contents.items() if asked != request]
        self._judged += 1
        if earlier_content is None or not others or self._judged > _MOST_JUDGED:
            return False
        same = _alike(earlier_content, content)
        self._same += same
        self._total += len(content)
        margin = same - max(_alike(other, content) for other in others)
        if margin < 0:
            self._begin_anew()
        elif margin >= _LEAST_MARGIN:
            self._octets += margin
            self._replies += 1
            self._answered.add(request)
        return (
            self._octets >= _LEAST_OCTETS
            and self._same >= _LEAST_SHARE * self._total
            and self._replies >= _LEAST_REPLIES
            and len(self._answered) >= _LEAST_REQUESTS
        )

    def _begin_anew(self) -> None:
        self._replies = self._octets = self._same = self._total = 0
        self._answered.clear()


def _alike(one: bytes, other: bytes) -> int:
    """Return how many octets are the same."""
    return sum(map(int.__eq__, one, other))
