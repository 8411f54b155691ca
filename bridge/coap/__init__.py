"""CoAP to one server: requests that are answered in time or fail with a reason, and never come late.

The uplink uses `Client`. Behind it, aiocoap keeps tokens, message ids and retransmission; this package
carries its messages, acknowledges answers and controls congestion.
"""

from bridge.coap.client import Client, Response, Stats
from bridge.coap.errors import Closed, NotResolved, Refused, Reset, Silent, Unreachable

__all__ = [
    "Client",
    "Closed",
    "NotResolved",
    "Refused",
    "Reset",
    "Response",
    "Silent",
    "Stats",
    "Unreachable",
]
