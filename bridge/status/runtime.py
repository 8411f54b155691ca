"""The status that changes every second and need not survive: a small JSON file per bus and for the uplink.

The files lie in memory (systemd's RuntimeDirectory, or the user's), so an SD card is not worn by status. Each
is replaced atomically: a reader sees the old document or the new one, never half of one.
Which folder that is, and whose files count, says `runtime_folder`.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bridge.files import replace_regular
from bridge.status.runtime_folder import (
    Document,
    documents_in,
    is_alive,
    make,
    opened,
    own_root,
    read_document,
    temporary_root,
)

if TYPE_CHECKING:
    from bridge.status.documents import (
        BusDocument,
        ClockDocument,
        GatewayDocument,
        Published,
        UplinkDocument,
    )

logger = logging.getLogger(__name__)

SERVICE_DIRECTORY = Path("/run/serial-bridge")
"""The RuntimeDirectory of the installed services: where `status` in a shell finds what they publish."""

UPLINK, CLOCK, GATEWAY = "uplink", "clock", "gateway"
"""The names of the documents that are not of a bus."""

_READABLE = 0o644  # by every user, whatever the umask
_FOR_GROUP = 0o660  # to ask the reader of a bus


class Runtime:
    """The status documents of the processes that share one spool."""

    def __init__(self, spool_path: Path) -> None:
        spool_path = spool_path.resolve()
        self._folder = f"{spool_path.stem}-{sha256(os.fsencode(spool_path)).hexdigest()[:12]}"
        self._spool_path = spool_path
        self._is_failing = False

    def publish(self, name: str, document: Mapping[str, object]) -> None:
        """Replace the document `name` ("bus-meters", "uplink", "clock" or "gateway").

        Adds `pid`, and `updated` in milliseconds since 1970. A directory that cannot be written, or belongs
        to another user, is logged once: the gateway works without a status.

        Raises:
            TypeError: `document` does not fit JSON.
        """
        self._publish(f"{name}.json", json.dumps({**document, **_marks()}))

    def publish_past(self, bus: str, members: str) -> None:
        """Replace what is kept of the last day of a bus's line; logged like `publish` where it cannot.

        Args:
            bus: its name.
            members: of a JSON object, without its braces.
        """
        self._publish(_past_name(bus), f"{{{members},{json.dumps(_marks())[1:]}")

    def _publish(self, name: str, text: str) -> None:
        try:
            self._replace(name, text.encode())
        except OSError as error:
            if not self._is_failing:
                logger.warning("no status of %s: %s", name, error)
            self._is_failing = True
        else:
            self._is_failing = False

    # Another version may have published a document: every key but `pid` and `updated` may be missing in it.

    def buses(self) -> dict[str, BusDocument]:
        """Return the newest document of each bus, by the bus's name."""
        return self.buses_and_uplink()[0]

    def buses_and_uplink(self) -> tuple[dict[str, BusDocument], UplinkDocument | None]:
        """Return the newest document of each bus, by its name, and that of the uplink, None without one."""
        documents = self.read_all()
        buses = {
            name.removeprefix("bus-"): cast("BusDocument", document)
            for name, document in documents.items()
            if name.startswith("bus-")
        }
        return buses, cast("UplinkDocument | None", documents.get(UPLINK))

    def uplink(self) -> UplinkDocument | None:
        """Return the newest document of the uplink, None if there is none."""
        return cast("UplinkDocument | None", self.read_all().get(UPLINK))

    def processes(self) -> dict[str, Published]:
        """Return what each document says of the process that published it, by the document's name."""
        return {
            name: cast("Published", document)
            for name, document in self.read_all().items()
            if name not in (CLOCK, GATEWAY)
        }

    def gateway(self) -> GatewayDocument | None:
        """Return what was published of the gateway's own device, None if nothing was."""
        return cast("GatewayDocument | None", self.read_all().get(GATEWAY))

    def clock(self) -> ClockDocument | None:
        """Return the server's time as the uplink published it, None if there is none."""
        match self.read_all().get(CLOCK):
            case {"boot_id": str(boot_id), "offset_ns": int(offset_ns), "source": str(source)}:
                return {"boot_id": boot_id, "offset_ns": offset_ns, "source": source}
        return None

    def running_pids(self) -> set[int]:
        """Return the ids of the living processes that published a document."""
        return {cast(int, document["pid"]) for document in self.read_all().values() if document["running"]}

    def read_all(self) -> dict[str, dict[str, object]]:
        """Return every document by its name, the newest where several processes published one.

        Adds `running`: whether the process that published the document lives. Files that are no document, or
        belong to another user, are left out.
        """
        newest: dict[str, Document] = {}
        for root, owners in self._roots():
            try:
                with self._existing(root, owners) as folder:
                    for name, document in documents_in(folder, owners):
                        if name not in newest or newest[name].updated_ms < document.updated_ms:
                            newest[name] = document
            except OSError:
                continue  # not there, or not ours
        return {
            name: {**document.keys, "running": is_alive(document.pid)} for name, document in newest.items()
        }

    def past(self, bus: str) -> dict[str, object] | None:
        """Return the newest document of `publish_past`; None if there is none."""
        documents: list[Document] = []
        for root, owners in self._roots():
            try:
                with self._existing(root, owners) as folder:
                    document = read_document(_past_name(bus), folder, owners)
            except OSError:
                continue  # not there, or not ours
            if document is not None:
                documents.append(document)
        return max(documents, key=lambda document: document.updated_ms).keys if documents else None

    def request_forgetting(self, bus: str, sensor: str) -> bool:
        """Request that the process of a bus forgets its knowledge of a sensor; one request at a time.

        Returns:
            False if no process publishes a status of that bus where this user can see it.

        Raises:
            PermissionError: its folder is another user's.
        """
        for root, owners in self._roots():
            try:
                with self._existing(root, owners) as folder:
                    document = read_document(f"bus-{bus}.json", folder, owners)
                    if document is None or not is_alive(document.pid):
                        continue
                    text = json.dumps({"sensor": sensor, **_marks()})
                    replace_regular(_request_name(bus), text.encode(), folder=folder, mode=_READABLE)
                    return True
            except PermissionError:
                raise
            except OSError:
                continue  # not there, or not ours
        return False

    def take_request(self, bus: str) -> str | None:
        """Return the sensor's name from `request_forgetting`, and remove the request; None without one."""
        root, owners = own_root(), {os.geteuid(), 0}
        if not os.path.lexists(root / self._folder / _request_name(bus)):  # as nearly always
            return None
        try:
            with self._existing(root, owners) as folder:
                request = read_document(_request_name(bus), folder, owners)
                if request is None:
                    return None
                os.unlink(_request_name(bus), dir_fd=folder)
        except OSError:
            return None
        sensor = request.keys.get("sensor")
        return sensor if isinstance(sensor, str) else None

    def listen(self, bus: str) -> socket.socket:
        """Return a listening socket for questions to the reader of a bus, open to this user and its group.

        Raises:
            OSError: the folder is another user's, or cannot be written.
        """
        with self._made() as folder:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            draft = f".{os.urandom(8).hex()}"
            try:
                listener.bind(_in_folder(folder, draft))
                os.chmod(draft, _FOR_GROUP, dir_fd=folder)
                listener.listen()
                os.replace(draft, _socket_name(bus), src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                listener.close()
                raise
            return listener

    def connect(self, bus: str) -> socket.socket | None:
        """Return a connection to the reader of a bus; None if no reader listens.

        Raises:
            PermissionError: its socket is not open to this user.
        """
        for root, owners in self._roots():
            try:
                with self._existing(root, owners) as folder:
                    status = os.stat(_socket_name(bus), dir_fd=folder, follow_symlinks=False)
                    if not stat.S_ISSOCK(status.st_mode) or status.st_uid not in owners:
                        continue
                    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
                    try:
                        connection.connect(_in_folder(folder, _socket_name(bus)))
                    except BaseException:
                        connection.close()
                        raise
                    return connection
            except PermissionError:
                raise
            except OSError:
                continue  # not there, nobody listens any more, or not ours
        return None

    def _replace(self, name: str, data: bytes) -> None:
        with self._made() as folder:
            replace_regular(name, data, folder=folder, mode=_READABLE)

    @contextmanager
    def _made(self) -> Iterator[int]:
        """Open the folder in which this process publishes, made if it is missing; yield its descriptor.

        Raises:
            OSError: the folder is another user's, or cannot be made.
        """
        root, user = own_root(), {os.geteuid()}
        make(root)
        with opened(root, {*user, 0}) as outer:
            make(self._folder, outer)
            with opened(self._folder, user, outer) as folder:
                yield folder

    @contextmanager
    def _existing(self, root: Path, owners: set[int]) -> Iterator[int]:
        """Open the folder of this spool in one of `_roots`; yield its descriptor. Errors as for `opened`."""
        with opened(root, owners) as outer, opened(self._folder, owners, outer) as folder:
            yield folder

    def _roots(self) -> Iterator[tuple[Path, set[int]]]:
        """Yield the folders in which a process may have published, each with the users that may own it."""
        owners = {os.geteuid(), 0}
        places = [own_root(), SERVICE_DIRECTORY, temporary_root(os.getuid())]
        try:
            owner = self._spool_path.stat().st_uid
        except OSError:
            pass
        else:
            owners.add(owner)
            places.append(temporary_root(owner))
        for place in dict.fromkeys(places):
            yield place, owners


def keep_note(name: str, note: Mapping[str, object]) -> None:
    """Keep a note of this user's from one command for the next: `name`, a plain file name.

    Raises:
        OSError: the folder is another user's, or cannot be written.
    """
    root, user = own_root(), {os.geteuid()}
    make(root)
    text = json.dumps({**note, **_marks()})
    with opened(root, {*user, 0}) as folder:
        replace_regular(f"{name}.json", text.encode(), folder=folder, mode=_READABLE)


def kept_note(name: str) -> Mapping[str, object] | None:
    """Return the note that was kept under this name; None if there is none that can be trusted."""
    owners = {os.geteuid(), 0}
    try:
        with opened(own_root(), owners) as folder:
            document = read_document(f"{name}.json", folder, owners)
    except OSError:
        return None
    return None if document is None else document.keys


def _socket_name(bus: str) -> str:
    return f"bus-{bus}.ask"


def _in_folder(folder: int, name: str) -> str:
    """Return a path of a socket in an open folder that is short enough for any depth of the folder."""
    return f"/proc/self/fd/{folder}/{name}"


def _marks() -> dict[str, int]:
    """Return what every document says of its own publishing."""
    return {"pid": os.getpid(), "updated": time.time_ns() // 1_000_000}


def _past_name(bus: str) -> str:
    """Return the name of a file that is read only by who draws it: `status` lists the .json alone."""
    return f"bus-{bus}.past"


def _request_name(bus: str) -> str:
    return f"bus-{bus}.forget"
