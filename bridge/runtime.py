"""What changes every second and need not survive: one small JSON file per bus and one for the uplink.

The files lie in memory (systemd's RuntimeDirectory, or the user's), so an SD card is not worn by status. Each
is replaced atomically: a reader sees the old document or the new one, never half of one.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

SERVICE_DIRECTORY = Path("/run/serial-bridge")
"""The RuntimeDirectory of the installed services: where `status` in a shell finds what they publish."""


class Runtime:
    """The status documents of the processes that share one spool."""

    def __init__(self, spool_path: Path) -> None:
        spool_path = spool_path.resolve()
        self._folder = f"{spool_path.stem}-{sha256(os.fsencode(spool_path)).hexdigest()[:12]}"
        self._directory = _own_root() / self._folder
        self._spool_path = spool_path
        self._is_failing = False

    def publish(self, name: str, document: Mapping[str, Any]) -> None:
        """Replace the document `name` ("bus-meters" or "uplink").

        Adds `pid`, and `updated` in milliseconds since 1970. A directory that cannot be written is logged
        once: the gateway works without a status.

        Raises:
            TypeError: `document` does not fit JSON.
        """
        text = json.dumps({**document, "pid": os.getpid(), "updated": time.time_ns() // 1_000_000})
        try:
            self._replace(name, text)
        except OSError as error:
            if not self._is_failing:
                logger.warning("no status of %s: %s", name, error)
            self._is_failing = True
        else:
            self._is_failing = False

    def read_all(self) -> dict[str, dict[str, Any]]:
        """Every document by its name, the newest where several processes published one.

        Adds `running`: whether the process that published it lives. What is no document is left out.
        """
        found: dict[str, dict[str, Any]] = {}
        for root in self._roots():
            for path in sorted((root / self._folder).glob("*.json")):
                document = _read(path)
                if document is None:
                    continue
                if path.stem not in found or found[path.stem]["updated"] < document["updated"]:
                    found[path.stem] = {**document, "running": _lives(document["pid"])}
        return found

    def _replace(self, name: str, text: str) -> None:
        if not self._directory.is_dir():
            self._directory.mkdir(parents=True, exist_ok=True)
            self._directory.chmod(0o755)  # for everybody's `status`, whatever the umask
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}-", dir=self._directory)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o644)
            Path(temporary).replace(self._directory / f"{name}.json")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _roots(self) -> Iterator[Path]:
        """Where a service, this user, or the user who owns the spool may have published."""
        yield from dict.fromkeys((_own_root(), SERVICE_DIRECTORY, _temporary_root(os.getuid())))
        try:
            owner = self._spool_path.stat().st_uid
        except OSError:
            return
        if owner != os.getuid():
            yield _temporary_root(owner)


def _own_root() -> Path:
    """Where this process publishes."""
    if directories := os.environ.get("RUNTIME_DIRECTORY"):
        return Path(directories.split(":")[0])  # systemd lists several so
    if directory := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(directory) / "serial-bridge"
    return _temporary_root(os.getuid())


def _temporary_root(uid: int) -> Path:
    return Path(tempfile.gettempdir()) / f"serial-bridge-{uid}"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict):
        return None
    return document if all(isinstance(document.get(key), int) for key in ("pid", "updated")) else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
