"""Who may see the page: pairing codes and sessions. Pure: times and random texts are passed in.

    pair ─▶ a code, valid for 10 minutes, for one phone ─▶ right: a session of at most 12 hours
                                                        └▶ wrong: the fifth locks pairing for 5 minutes

Only hashes are kept: a file that leaks opens nothing but a code that is tried out within its ten minutes, and
the file is the service's alone. Times are seconds since boot, which nobody can set; a reboot ends all.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

CODE_DIGITS: Final = 8
CODE_S: Final = 600.0
LOCK_S: Final = 300.0
WRONG_MOST: Final = 5
SESSION_S: Final = 12 * 3600.0
_SESSIONS_MOST: Final = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that was paired.

    Attributes:
        begun_s: when, in seconds since boot.
        browser: what it says it is, for the person who looks for it in a list.
    """

    begun_s: float
    browser: str


@dataclass(slots=True)
class Access:
    """The state of pairing.

    Attributes:
        code: the hash of the code that is valid; "" if none is.
        code_until_s: until when.
        wrong: wrong codes since the last right one, or since the lock ended.
        locked_until_s: until when no code is taken.
        sessions: by the hash of their cookie.
    """

    code: str = ""
    code_until_s: float = 0.0
    wrong: int = 0
    locked_until_s: float = 0.0
    sessions: dict[str, Session] = field(default_factory=dict)

    def offer(self, code: str, now_s: float) -> None:
        """Take a new code; the one before is no longer valid. A lock stays."""
        self.code, self.code_until_s = hashed(code), now_s + CODE_S

    def locked_s(self, now_s: float) -> float:
        """Return for how many seconds no code is taken; 0: codes are taken."""
        return max(0.0, self.locked_until_s - now_s)

    def pair(self, code: str, cookie: str, browser: str, now_s: float) -> bool:
        """Begin a session if the code is right; return whether it is.

        A code is used up by the first who says it. While pairing is locked the right code is refused, too.
        """
        self.prune(now_s)
        if self.locked_s(now_s):
            return False
        is_right = bool(self.code) and hmac.compare_digest(self.code, hashed(code))
        if not is_right:
            self.wrong += 1
            if self.wrong >= WRONG_MOST:
                self.wrong, self.locked_until_s = 0, now_s + LOCK_S
            return False
        self.code, self.wrong = "", 0
        while len(self.sessions) >= _SESSIONS_MOST:
            del self.sessions[min(self.sessions, key=lambda key: self.sessions[key].begun_s)]
        self.sessions[hashed(cookie)] = Session(now_s, browser)
        return True

    def knows(self, cookie: str, now_s: float) -> bool:
        """Return whether a cookie is that of a session that goes on."""
        session = self.sessions.get(hashed(cookie))
        return session is not None and 0 <= now_s - session.begun_s < SESSION_S

    def revoke(self, name: str | None) -> list[str]:
        """End the session with this name, or all; return the names of those that ended."""
        ended_keys = [key for key in self.sessions if name is None or name_of(key) == name]
        for key in ended_keys:
            del self.sessions[key]
        return [name_of(key) for key in ended_keys]

    def prune(self, now_s: float) -> None:
        """Forget a code and sessions whose time is over."""
        if now_s >= self.code_until_s:
            self.code = ""
        self.sessions = {
            key: session for key, session in self.sessions.items() if 0 <= now_s - session.begun_s < SESSION_S
        }

    def document(self) -> dict[str, Any]:
        """Return what is kept, for `parse`."""
        return {
            "code": self.code,
            "code_until_s": self.code_until_s,
            "wrong": self.wrong,
            "locked_until_s": self.locked_until_s,
            "sessions": {
                key: {"begun_s": session.begun_s, "browser": session.browser}
                for key, session in self.sessions.items()
            },
        }


def parse(document: Mapping[str, Any]) -> Access:
    """Return the state of a document; nobody has access by a damaged one."""
    try:
        return Access(
            str(document["code"]),
            float(document["code_until_s"]),
            int(document["wrong"]),
            float(document["locked_until_s"]),
            {
                str(key): Session(float(session["begun_s"]), str(session["browser"]))
                for key, session in document["sessions"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Access()


def name_of(key: str) -> str:
    """Return the name by which a person calls a session: the beginning of its hash."""
    return key[:8]


def hashed(text: str) -> str:
    """Return the hash under which a code or a cookie is kept."""
    return sha256(text.encode()).hexdigest()


def csrf_token(cookie: str) -> str:
    """Return what each form of a session carries; a page of another origin cannot know it."""
    return hmac.new(cookie.encode(), b"action", "sha256").hexdigest()
