"""The made-up protocol with a line that its specification fixes."""

from __future__ import annotations

from dataclasses import replace

from protocols.toolkit.polling import LineSettings
from tests.bridge.config import made_up_protocol

PROTOCOL = replace(made_up_protocol.PROTOCOL, name="made-up-fixed", line=LineSettings(2400, parity="E"))
