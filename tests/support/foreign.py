"""Servers that are not ours, as real processes."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import programs
from tests.support.ports import free_udp_port

PING = b"\x40\x00\x12\x34"  # an empty confirmable message; every CoAP server answers with RST (RFC 7252 §4.3)


@contextmanager
def libcoap_server(*arguments: str, resources: int = 100) -> Iterator[int]:
    """libcoap's example server on 127.0.0.1; yields its port.

    A POST or PUT to a path it does not have creates the resource (2.01); later ones change it (2.04). Answers
    are piggybacked on the acknowledgement.

    Args:
        arguments: more of its command line.
        resources: how many may be created.
    """
    with _libcoap("coap-server-notls", free_udp_port(), "-d", str(resources), *arguments) as port:
        yield port


@contextmanager
def libcoap_secure_server(
    library: str, certificate: Path, key: Path, *arguments: str, port: int | None = None
) -> Iterator[int]:
    """Yield the same server with DTLS; yield the port of that.

    Args:
        library: "openssl" or "gnutls".
        certificate, key: the server's, PEM files.
        arguments: "-C FILE": the authority that client certificates must come from; without it none is asked
            for. "-n": they are asked for and not required.
        port: where to listen; a free one unless told.
    """
    program = f"coap-server-{library}"
    options = ["-d", "100", "-c", str(certificate), "-j", str(key), *arguments]
    with _libcoap(program, port - 1 if port else free_udp_port(pairs=True), *options) as plain:
        yield plain + 1


@contextmanager
def _libcoap(program: str, port: int, *arguments: str) -> Iterator[int]:
    command = [programs.program(program), "-A", "127.0.0.1", "-p", str(port), *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_ready(server, port)
            yield port
        finally:
            server.kill()


def _wait_ready(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 20
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.1)
        probe.connect(("127.0.0.1", port))
        while time.monotonic() < deadline:
            assert server.poll() is None, f"{server.args!r} ended with {server.returncode}"
            try:
                probe.send(PING)
                probe.recv(64)
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.02)
            else:
                return
    raise AssertionError(f"{server.args!r} did not answer a ping")


@contextmanager
def pymodbus_sensor(device: str, baudrate: int, mode: str = "rtu") -> Iterator[None]:
    """pymodbus's server, RTU or ASCII, on a serial device; `foreign_sensor` says what it holds."""
    command = [sys.executable, "-m", "tests.support.foreign_sensor", device, str(baudrate), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield
        finally:
            server.kill()
