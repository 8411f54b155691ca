"""The uplink: drains the spool through ThingsBoard's contract and CoAP.

    spool ─▶ drain ─▶ feeds, one a credential ─▶ delivery ─▶ coap ─▶ server
      ▲        ▲                                    │
      └────────┴──── delivered, refused ◀───────────┘

    feed        the unsent readings of one credential, and its state; pure
    drain       the spool's side: live readings, the backlog in bounded steps, confirmations
    delivery    the server's side: whose turn it is, and what to do after an answer
    in_flight   the requests in flight, and the probes while they stay unanswered
    clients     the clients of the server, one for all tokens and one for each certificate
    service     wires these together, and publishes their status
    throttle    how fast one credential may send: its rate and the size of its messages
    self_reports     which reports on the gateway and its sensors there are: gateway_device, line_states
    beside_readings  sends them in the room that readings leave
    refusals    detects a server that answers 5.00 to all
    pace        timings, back-off, and waiting for news

Nothing here stores on disk what was sent. A reading leaves the spool once the server has accepted it and
the confirmation is committed, every few seconds; a crash sends at most that much again, and ThingsBoard
stores a repeated reading over the first.
"""

from bridge.uplink.clients import connect
from bridge.uplink.pace import Pace
from bridge.uplink.service import Uplink

__all__ = ["Pace", "Uplink", "connect"]
