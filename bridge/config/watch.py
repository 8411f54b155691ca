"""credentials.toml while the bridge runs: an edit is taken by itself, a broken one never.

The file is looked at, not subscribed to: a look is one `stat` a second, and it sees what an editor, a copy or
`serial-bridge provision` does alike, on every file system. An edit is read once the file has kept still from
one look to the next, so half a file is not taken for a whole one.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from bridge.config.credentials import Certificate, Credentials, load_credentials
from bridge.config.tables import Site
from bridge.errors import ConfigError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

_Stamp = tuple[tuple[int, int, int, int] | None, ...]


class CredentialsWatch:
    """The credentials in use.

    Attributes:
        current: the last that were right.
    """

    def __init__(self, credentials: Credentials, site: Site, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self.current = credentials
        self._site = site
        self._look_every_s = look_every_s
        self._read = _stamp(credentials)  # of the files as they were just after they were read
        self._is_sure = False  # that nobody edited them in between: the next look reads them again

    async def edited(self) -> None:
        """Returns when the file was saved anew and is right; `current` then holds what it says.

        Saving it without a change counts: it is how somebody says "try again now". A file with mistakes is
        logged once, with every mistake, and changes nothing. Never returns for credentials made in code.
        """
        path = self.current.path
        if path is None:
            await asyncio.Event().wait()
            return
        before = None
        while True:
            now = _stamp(self.current)
            is_news = now != self._read or not self._is_sure
            if is_news and now == before and await asyncio.to_thread(self._take, path, now):
                return
            before = now
            await asyncio.sleep(self._look_every_s)

    def _take(self, path: Path, stamp: _Stamp) -> bool:
        """Reads the file; whether that is news."""
        is_untouched = stamp == self._read
        self._read, self._is_sure = stamp, True
        try:
            found = load_credentials(path, self._site)
        except ConfigError as error:
            log.error("the credentials in use stay, the edited ones are not right:\n%s", error)  # noqa: TRY400
            return False
        if is_untouched and found == self.current:
            return False
        self.current = found
        self._read, self._is_sure = _stamp(found), False
        log.info("%s was edited: its credentials are taken", path)
        return True


def _stamp(credentials: Credentials) -> _Stamp:
    """What changes when the file, or a certificate or key it names, is saved or replaced."""
    paths = [credentials.path] if credentials.path else []
    for credential in credentials.sensors.values():
        if isinstance(credential, Certificate):
            paths += (credential.certificate, credential.key)
    return tuple(map(_stamp_of, paths))


def _stamp_of(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
