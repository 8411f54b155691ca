"""The ways to a site's server: one that all tokens share, and one for each certificate.

ThingsBoard knows a device by its certificate for a whole connection, so each such sensor has its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from bridge.coap import Client
from bridge.coap.path_limit import PathLimit
from bridge.config import Certificate, ThingsBoard


def connect(
    server: ThingsBoard, certificates: Iterable[Certificate] = (), *, lanes: int | None = None
) -> tuple[Client, dict[Certificate, Client]]:
    """Makes the clients; none connects before its first request.

    Args:
        certificates: of the sensors that have one; over coap:// there is nothing to show them on.
        lanes: requests in flight at once; the site's unless told.

    Returns:
        The client for tokens, and that of each certificate. They are the caller's to close.
    """
    client = partial(Client, server.host, server.port, lanes=lanes or server.lanes)
    if server.scheme == "coap":
        return client(), {}
    from bridge.coap.dtls import DTLS  # here, because plain coap needs none of it in memory
    from bridge.coap.trust import Trust

    trust = Trust(server.host, ca=server.ca, server_name=server.server_name)
    client = partial(client, path_limit=PathLimit(DTLS.message_limit))  # all go the same way
    own = {each: client(transport=DTLS(trust, each.certificate, each.key)) for each in certificates}
    return client(transport=DTLS(trust)), own
