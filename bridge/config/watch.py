"""credentials.toml while the bridge runs: an edit takes effect without a restart, a broken one never does.

The file is polled, not subscribed to: one `stat` a second notices an editor, a copy and `serial-bridge
provision` alike, on every file system. An edit is read once two polls in a row show the same file, so half a
file is not taken for a whole one.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from bridge.config.credentials import Certificate, Credentials, load_credentials
from bridge.config.tables import Site
from bridge.errors import ConfigError
from bridge.event_loop import until_multiple_s

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

_Stamp = tuple[tuple[int, int, int, int] | None, ...]


class CredentialsWatch:
    """The credentials in use, replaced when their file is edited.

    Attributes:
        current: the last credentials without a mistake.
    """

    def __init__(self, credentials: Credentials, site: Site, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self.current = credentials
        self._site = site
        self._look_every_s = look_every_s
        self._last_stamp = _stamp(credentials)  # of the files, taken just after they were read
        self._is_confirmed = False  # they may have been edited since then: the next poll reads them again

    async def edited(self) -> None:
        """Return once the file has been saved and has no mistake; `current` then holds its contents.

        A save without a change counts: it is how somebody says "try again now". A file with mistakes is
        logged once, with every mistake, and changes nothing. Never returns for credentials made in code.
        """
        path = self.current.path
        if path is None:
            await asyncio.Event().wait()
            return
        previous_stamp = None
        while True:
            stamp = _stamp(self.current)
            is_news = stamp != self._last_stamp or not self._is_confirmed
            if is_news and stamp == previous_stamp and await asyncio.to_thread(self._reload, path, stamp):
                return
            previous_stamp = stamp
            await asyncio.sleep(until_multiple_s(self._look_every_s))

    def _reload(self, path: Path, stamp: _Stamp) -> bool:
        """Read the file and return whether `edited` should report it."""
        is_untouched = stamp == self._last_stamp
        self._last_stamp, self._is_confirmed = stamp, True
        try:
            credentials = load_credentials(path, self._site)
        except ConfigError as error:
            log.error("the edited credentials have mistakes, so the old ones stay in use:\n%s", error)  # noqa: TRY400
            return False
        if is_untouched and credentials == self.current:
            return False
        self.current = credentials
        self._last_stamp, self._is_confirmed = _stamp(credentials), False
        log.info("%s was edited: its credentials are in use now", path)
        return True


def _stamp(credentials: Credentials) -> _Stamp:
    """Return a value that differs when the file, or a certificate or key it names, is saved or replaced."""
    paths = [credentials.path] if credentials.path else []
    for credential in credentials.sensors.values():
        if isinstance(credential, Certificate):
            paths += (credential.certificate, credential.key)
    return tuple(map(_stamp_of, paths))


def _stamp_of(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
