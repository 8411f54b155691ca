"""Why a request was not answered, each in one sentence that names the server and what to look at next.

`where` is host:port as the site file has it. None of these says whether the server got the request:
what was sent is kept and sent again, and ThingsBoard stores a repeated reading over the first.
"""

from __future__ import annotations

from bridge.errors import UplinkError


class NotResolved(UplinkError):
    """The host has no address, or no name server said so in time."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"{where} has no address ({reason}): check the host name and the gateway's name server"
        )


class Refused(UplinkError):
    """The host answered that nothing listens on the port (ICMP port unreachable)."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} refused: check the port and that ThingsBoard's CoAP transport runs there")


class Unreachable(UplinkError):
    """The gateway itself knows no way to the host, or may not send there."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"{where} cannot be reached ({reason}): check the gateway's network, address and route"
        )


class Silent(UplinkError):
    """No answer in time: all was lost on the way, or the server acknowledged the request and forgot it."""

    def __init__(self, where: str, elapsed_s: float) -> None:
        super().__init__(
            f"{where} was silent for {elapsed_s:.1f} s: "
            "check that UDP passes every firewall and that the server is not overloaded"
        )


class NotAnswering(Silent):
    """One of several addresses did not answer a ping."""


class Reset(UplinkError):
    """The server rejected the message with a CoAP RST: it failed to process it, or is not a CoAP server."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} rejected the message (RST): look for an exception in ThingsBoard's log")


class Closed(UplinkError):
    """The request was given up on this side: the connection is being replaced, or the client closed."""

    def __init__(self, where: str) -> None:
        super().__init__(f"the connection to {where} was closed on this side: send again")
