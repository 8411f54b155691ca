"""Plain UDP: one connected socket for one association.

Connected, so that the kernel hands over only what comes from the server and reports at once when nothing
listens there; opened anew for each association, so that a new source address, a new name resolution and the
host's next address are picked up. It needs no IPv6, and uses it when the name has such an address.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from concurrent.futures import Future
from typing import Any

from bridge.coap.addresses import Address
from bridge.coap.errors import NotResolved, Refused, Unreachable
from bridge.coap.interface import Association
from bridge.errors import UplinkError
from bridge.hosts import as_address, authority

RESOLVE_TIMEOUT_S = 10.0
_LARGEST_DATAGRAM = 65535
_DONT_DISCOVER = 0  # IP_PMTUDISC_DONT, linux/in.h; the socket module has no names for these before 3.14
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _IPV6_MTU = 10, 23, 24
_IPV6_LEAST_MTU = 1280  # RFC 8200 §5: every path carries it


async def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of `host`, in the system's order of preference.

    Raises:
        NotResolved: there is none, or the name server did not answer in `RESOLVE_TIMEOUT_S`.
    """
    where = authority(host, port)
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            answers = await _lookup(host, port)
    except TimeoutError:
        raise NotResolved(where, f"no answer in {RESOLVE_TIMEOUT_S:.0f} s") from None
    except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for DNS
        raise NotResolved(where, getattr(error, "strerror", None) or str(error)) from error
    return [(family, sockaddr) for family, _, _, _, sockaddr in answers]


async def _lookup(host: str, port: int) -> list[Any]:
    """Look the host up with getaddrinfo: a name in a thread that may be left behind, an address at once.

    A silent name server holds its caller for half a minute, and a process waits for the threads of its
    loop's own executor to end; SIGTERM leaves two seconds.
    """
    if as_address(host) is not None:
        return socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    answer: Future[list[Any]] = Future()

    def look_up() -> None:
        answer.set_running_or_notify_cancel()
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    threading.Thread(target=look_up, name="name server", daemon=True).start()
    return await asyncio.wrap_future(answer)


def connect(address: Address, where: str) -> socket.socket:
    """Return a socket connected to one address of the server.

    Args:
        address: the address.
        where: the server as the site names it, for messages.

    Raises:
        Unreachable: the system has no route to it, or lacks the address family.
    """
    family, sockaddr = address
    try:
        udp_socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise _failure(error, where) from error
    try:
        _allow_fragments(udp_socket)
        udp_socket.connect(sockaddr)
    except OSError as error:
        udp_socket.close()
        raise _failure(error, where) from error
    return udp_socket


def _allow_fragments(udp_socket: socket.socket) -> None:
    """Let routers, or for IPv6 this host, cut a datagram that is too long for the path.

    Linux forbids it by default and learns the path's MTU from ICMP, which many firewalls drop: then
    whatever is longer vanishes without a word.
    """
    if udp_socket.family == socket.AF_INET6:
        udp_socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _DONT_DISCOVER)
        udp_socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU, _IPV6_LEAST_MTU)
    else:
        udp_socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _DONT_DISCOVER)


class UDPAssociation(Association):
    """An association on plain UDP. Owns its socket until it ends. The class is its own transport."""

    message_limit = 1152  # RFC 7252 §4.6: what to send when nothing is known about the path
    payload_limit = 1024
    opening_limit_s = 0.0

    def __init__(self, manager: Any, address: str, where: str, udp_socket: socket.socket) -> None:
        super().__init__(manager, address)
        self._where = where
        self._socket = udp_socket
        self.loop.add_reader(udp_socket.fileno(), self._readable)

    @classmethod
    async def open(cls, manager: Any, address: Address, where: str) -> UDPAssociation:
        """Connect to one address of the server; arguments and errors as for `connect`."""
        udp_socket = connect(address, where)
        return cls(manager, authority(*address[1][:2]), where, udp_socket)

    def transmit(self, message: bytes) -> None:
        """Send one datagram; a full buffer loses it, as the network might."""
        if self.failure is not None:
            return
        try:
            self._socket.send(message)
        except BlockingIOError:
            pass
        except OSError as error:
            self._report_failure(error)

    def release(self) -> None:
        """Close the socket."""
        self.loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        try:
            datagram = self._socket.recv(_LARGEST_DATAGRAM)
        except BlockingIOError:
            return
        except OSError as error:
            self._report_failure(error)
            return
        self.receive(datagram)

    def _report_failure(self, error: OSError) -> None:
        # Too long for the path: the kernel has learned the path's limit and splits what is sent from now on.
        if error.errno != errno.EMSGSIZE:
            self.end(_failure(error, self._where))


def _failure(error: OSError, where: str) -> UplinkError:
    if isinstance(error, ConnectionRefusedError):
        return Refused(where)
    return Unreachable(where, os.strerror(error.errno) if error.errno else str(error))
