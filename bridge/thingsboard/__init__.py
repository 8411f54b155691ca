"""ThingsBoard's CoAP device API as pure functions: encode values, pack batches, decide on answers.

Follows ThingsBoard 4.3: JsonConverter (common/proto) decides what becomes of a value, CoapTransportResource
(common/transport/coap) what is answered. Nothing here waits, reads a clock or opens anything.
"""

from bridge.thingsboard.answer import Action, Decision, SentMessage, decide
from bridge.thingsboard.payload import (
    Batch,
    Unsendable,
    Value,
    encode_values,
    pack,
    plain_keys,
    telemetry_path,
    unstorable,
)

__all__ = [
    "Action",
    "Batch",
    "Decision",
    "SentMessage",
    "Unsendable",
    "Value",
    "decide",
    "encode_values",
    "pack",
    "plain_keys",
    "telemetry_path",
    "unstorable",
]
