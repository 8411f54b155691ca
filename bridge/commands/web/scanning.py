"""One scan at a time, begun from the page: the reader of the bus asks, nothing is opened here.

What a scan needs is imported when one begins: most who look at the page begin none, and wait for less.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from bridge.errors import BridgeError

if TYPE_CHECKING:
    from bridge.commands.scan.result import Located
    from bridge.commands.scan.survey import Progress
    from bridge.config import Site

_log = logging.getLogger(__name__)
_WITHIN_S = 1800.0


class Scanning:
    """The scan that goes on, or went on last.

    Attributes:
        bus: the bus that is scanned; "" before the first scan.
        progress_text: how far it is.
        sentences: sentences on the line as a whole.
        error: why it failed; "" if it did not.
    """

    def __init__(self, site: Site) -> None:
        self.bus = ""
        self.progress_text = ""
        self.sentences: list[str] = []
        self.error = ""
        self._site = site
        self._finds: dict[tuple[str, str, str], Located] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Return whether a scan goes on."""
        return self._task is not None and not self._task.done()

    @property
    def mark(self) -> str:
        """Return what changes when the page of the scan has to be another one."""
        return f"{'goes on' if self.is_running else 'ended'}, {len(self._finds)} found"

    @property
    def finds(self) -> list[tuple[str, str, str]]:
        """Return who was found: address, what it is, and the lines to copy."""
        if not self._finds:
            return []
        from bridge.commands.scan.text import find_lines, name

        return [
            (located.find.address, name(located.find), "\n".join(find_lines(located)))
            for located in self._finds.values()
        ]

    def start(self, bus: str) -> None:
        """Begin a scan of the usual addresses of a bus; do nothing while one goes on."""
        if self.is_running:
            return
        self.bus, self.progress_text, self.sentences, self.error, self._finds = bus, "", [], "", {}
        self._task = asyncio.create_task(self._run(bus))

    async def stop(self) -> None:
        """End a scan that goes on; what it found stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self, bus: str) -> None:
        from bridge.commands.scan.result import Ending
        from bridge.commands.scan.scan import Wishes, subject_of, target_of
        from bridge.commands.scan.service import scan_in_service
        from bridge.commands.scan.text import sentences

        try:
            target = target_of(bus, self._site.path)
            subject = subject_of(target, Wishes(is_quick=True))
            async with asyncio.timeout(_WITHIN_S):
                result = await scan_in_service(self._site.buses[bus], self._site.spool.path, subject, self)
            if result is None:
                self.error = f"bus {bus} is not being read: start its service, or scan it with the command"
            elif result.ending is Ending.INTERRUPTED:
                self.sentences.append("interrupted: start it again to ask the other addresses too")
            else:
                self.sentences += sentences(result, self._site.path)
        except TimeoutError:
            self.error = f"the scan of {bus} took too long: scan it with the command"
        except BridgeError as error:
            self.error = str(error)
        except Exception as error:  # a protocol of anybody's must not end the page
            _log.exception("a scan failed")
            self.error = f"the scan failed ({error}): see the log of the service"

    # What `scan` tells.

    def found(self, located: Located) -> None:
        """Take a find, or what is newly known of one."""
        self._finds[located.key] = located

    def progress(self, progress: Progress) -> None:
        """Take how far the scan is."""
        from bridge.commands.scan.text import progress_line

        self.progress_text = progress_line(progress)

    def said(self, sentence: str) -> None:
        """Take a sentence on the line as a whole."""
        self.sentences.append(sentence)

    def finished(self, step: str) -> None:
        """Take the key of a step that is through: a scan from the page is not resumed."""
