"""The sensors' side of a polled protocol: what a simulated line must know to hear and to answer.

Pure, like all of `protocols`; a simulated sensor itself is a class of its protocol with

    address                         as site.toml writes it
    answer(request) -> bytes | None     the whole reply; None: not for it, or nothing to say
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.toolkit.framing import Frame, Framer

Address = int | str
"""As the protocol writes it: a Modbus unit is a number, a meter's is a text of digits."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A protocol from the sensors' side.

    Attributes:
        framer: finds the requests that a sensor hears.
        address: returns the address in a request or reply.
        concerns: returns whether a request is for the sensor with this address, alone or with others.
        message: a frame without what carries it, for the log of what was served.
        refused: returns the reply that refuses a request with a code.
        misaddressed: returns a reply as if another sensor had sent it.
        damaged: returns a reply with a wrong checksum.
    """

    framer: Callable[[], Framer]
    address: Callable[[Frame], Address]
    concerns: Callable[[Frame, Address], bool]
    message: Callable[[Frame], bytes]
    refused: Callable[[Frame, int], bytes]
    misaddressed: Callable[[Frame], bytes]
    damaged: Callable[[bytes], bytes]


def alone(framer: Callable[[], Framer]) -> Dialect:
    """Return the dialect of a device that is alone on its line: it has no address, and refuses nothing.

    Args:
        framer: finds the requests that it hears.
    """
    return Dialect(
        framer=framer,
        address=lambda frame: "",
        concerns=lambda request, address: True,
        message=lambda frame: frame.data,
        refused=lambda request, code: b"",
        misaddressed=lambda reply: b"",
        damaged=lambda reply: reply[:-1],
    )
