"""Inside the virtual machine: runs what the host asks for, over a virtio serial port.

    frame    length, 4 octets, big endian | a header, one line of JSON | body
    host     {"id", "command"} and standard input
    guest    {"id", "status"} and output; {"id": 0} once, when the port is open

Commands run side by side.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import threading
import time
from pathlib import Path

PORT = Path("/dev/virtio-ports/host")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "SYSTEMD_PAGER": "cat",
    "SYSTEMD_COLORS": "0",
}
_sending = threading.Lock()


def main() -> None:
    """Serve the port until the machine ends."""
    while not PORT.exists():
        time.sleep(0.1)
    port = os.open(PORT, os.O_RDWR)
    send(port, {"id": 0})
    while True:
        (length,) = struct.unpack(">I", receive(port, 4))
        header, _, body = receive(port, length).partition(b"\n")
        threading.Thread(target=serve, args=(port, json.loads(header), body), daemon=True).start()


def serve(port: int, header: dict[str, object], body: bytes) -> None:
    """One command, to its end."""
    done = subprocess.run(
        ["/bin/bash", "-c", str(header["command"])],
        input=body,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/root",
        env=ENVIRONMENT,
        check=False,
    )
    send(port, {"id": header["id"], "status": done.returncode}, done.stdout)


def send(port: int, header: dict[str, object], body: bytes = b"") -> None:
    """One frame, whole."""
    data = json.dumps(header).encode() + b"\n" + body
    data = struct.pack(">I", len(data)) + data
    with _sending:
        while data:
            data = data[os.write(port, data[:32768]) :]


def receive(port: int, length: int) -> bytes:
    """So many octets, however long they take."""
    found = bytearray()
    while len(found) < length:
        part = os.read(port, min(65536, length - len(found)))
        if not part:  # the host is not there
            time.sleep(0.05)
        found += part
    return bytes(found)


main()
