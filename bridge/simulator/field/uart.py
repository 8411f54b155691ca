"""What a UART makes of characters that were sent with other settings than its own.

A character is a start bit, its data bits with the lowest first, perhaps a parity bit, and a stop bit. A
receiver waits for the edge of a start bit, samples each following bit in its middle, by its own clock, and
then waits for the next edge. So at another speed it hears other characters, and more or fewer of them; with
another parity it hears most characters of a message wrong, or none. A second stop bit is a pause to it.

A device drops what has a wrong parity or stop bit. A host on Linux takes it all: so is its port opened here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocols.toolkit.polling import LineSettings


class Character(NamedTuple):
    """A character as a UART sampled it, and whether its parity and stop bit are right."""

    octet: int
    is_good: bool


def understands(receiver: LineSettings, sender: LineSettings) -> bool:
    """Return whether a receiver hears what a sender sends."""
    return (receiver.baudrate, receiver.bytesize, receiver.parity) == (
        sender.baudrate,
        sender.bytesize,
        sender.parity,
    )


def heard_by_host(data: bytes, sender: LineSettings, receiver: LineSettings) -> bytes:
    """Return the octets that a host hears, the wrong ones too."""
    if understands(receiver, sender):
        return data
    return bytes(character.octet for character in sampled(data, sender, receiver))


def heard_by_device(data: bytes, sender: LineSettings, receiver: LineSettings) -> bytes:
    """Return the octets that a device takes."""
    if understands(receiver, sender):
        return data
    return bytes(character.octet for character in sampled(data, sender, receiver) if character.is_good)


def sampled(
    data: bytes, sender: LineSettings, receiver: LineSettings, *, is_swapped: bool = False
) -> Iterator[Character]:
    """Yield the characters that a receiver makes of consecutive ones of a sender.

    Args:
        data: the octets that were sent, one character right behind the other.
        sender, receiver: their settings.
        is_swapped: the two wires of the pair are exchanged, so that every level is its opposite.
    """
    levels = [bit ^ is_swapped for octet in data for bit in _bits(octet, sender)]
    idle = 1 ^ is_swapped
    step = sender.baudrate / receiver.baudrate  # bits of the sender in one of the receiver
    end = len(levels) + 12 * step

    def level(at: float) -> int:
        return levels[int(at)] if 0 <= at < len(levels) else idle

    at, was_high = 0.0, not is_swapped
    while at < end:
        if level(at) or not was_high:
            was_high = was_high or bool(level(at))
            at = int(at) + 1.0  # an edge is where a bit begins
            continue
        if level(at + step / 2):  # too short for a start bit
            at += step / 2
            continue
        bits = [level(at + (1.5 + place) * step) for place in range(receiver.bytesize)]
        at += (1.5 + receiver.bytesize) * step
        is_good = True
        if receiver.parity != "N":
            is_good = (sum(bits) + level(at)) % 2 == (receiver.parity == "O")
            at += step
        was_high = bool(level(at))
        yield Character(sum(bit << place for place, bit in enumerate(bits)), is_good and was_high)


def _bits(octet: int, line: LineSettings) -> Sequence[int]:
    """Return the levels of a character."""
    data = [octet >> place & 1 for place in range(line.bytesize)]
    parity = [] if line.parity == "N" else [(sum(data) + (line.parity == "O")) % 2]
    return [0, *data, *parity, *[1] * line.stopbits]
