"""The uplink: drains the spool through ThingsBoard's contract and CoAP.

    spool ─▶ drain ─▶ feeds, one a credential ─▶ delivery ─▶ coap ─▶ server
      ▲        ▲                                    │
      └────────┴──── delivered, refused ◀───────────┘

    feed        what one credential still has to send, and how it fares; pure
    drain       the spool's side: live readings, the backlog in bounded steps, confirmations
    delivery    the server's side: whose turn it is, and what an answer asks for
    in_flight   the requests under way, and what is asked while they stay unanswered
    clients     the ways to the server, one for all tokens and one for each certificate
    service     wires these together, and shows their status
    throttle    how fast one credential may send: its rate and the size of its messages
    refusals    whether the server answers 5.00 to all, and when to ask it again
    pace        how long to wait

Nothing here remembers on disk what was sent. A reading leaves the spool once the server has accepted it and
the confirmation is committed, every few seconds; a crash sends at most that much again, and ThingsBoard
stores a repeated reading over the first.
"""

from bridge.uplink.clients import connect
from bridge.uplink.pace import Pace
from bridge.uplink.service import Uplink

__all__ = ["Pace", "Uplink", "connect"]
