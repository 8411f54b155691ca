"""CoAP to one server: requests that are answered in time or fail with a reason, and never come late.

`Client` is what the uplink uses. Behind it, aiocoap keeps tokens, message ids and retransmission; what
carries its messages, what acknowledges them and what is let onto the network is in this package.
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
