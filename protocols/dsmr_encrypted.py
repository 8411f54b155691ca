"""Encrypted DSMR P1: the customer port of smart meters in Luxembourg and of some in Austria.

Spec: Luxembourg Smarty P1 specification 1.1.3 §3.2.5; IEC 62056-5-3 (general-glo-ciphering, suite 0). What
comes out is a telegram of DSMR P1 (`dsmr`). The meter pushes, every 10 s; 115200 8N1.

    DB | 08 | system title 8 | 82 | length 2 | 30 | frame counter 4 | ciphertext | tag 12

The additional data of the tag are 30 and an authentication key, which in Luxembourg is the same for all and
no secret. Nothing but the tag checks a frame, and that takes the key, so a frame is found by its head and its
length. One that was cut is told by the head of the next one inside it, or by a silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from protocols import dsmr
from protocols.dlms.apdu import ciphered
from protocols.dlms.ciphering import TAG_LENGTH, Decryption
from protocols.toolkit.errors import DecodeError
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.meter_keys import MeterKey, parse_key
from protocols.toolkit.protocol import Fields, PushingProtocol
from protocols.toolkit.pushing import PushingSettings, Telegram
from protocols.toolkit.search import SearchFramer, Shape

LONGEST: Final = 8192

_HEAD_LENGTH = 18  # up to the frame counter, and with it
_LENGTH_AT = 11  # of the two octets of the length, which counts what follows them
_HEAD = re.compile(rb"(?s)\xdb\x08[A-Z]{3}.{5}\x82[\x00-\x1f].\x30.{4}")
_TOLD_APART = 5  # octets of a head, up to the maker's letters, that no ciphertext has by chance
_LEAST = len(b"/XXX5\r\n\r\n!\r\n") + TAG_LENGTH

_LUXEMBOURG: Final = parse_key("00112233445566778899AABBCCDDEEFF")  # §3.2.5: the authentication key of all


class StreamFramer(SearchFramer):
    """Finds encrypted telegrams."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class TelegramListener:
    """Hears a P1 port.

    Args:
        decryption: it outlives a port that is closed and opened again.
    """

    def __init__(self, decryption: Decryption | None = None) -> None:
        self._decryption = decryption or Decryption(())
        self._telegrams = dsmr.TelegramListener()

    @property
    def invocation_counters(self) -> Mapping[str, int]:
        """Return the last good counter of each meter, by its system title and the fingerprint of its key."""
        return self._decryption.counters

    def continue_after(self, counters: Mapping[str, int]) -> None:
        """Refuse from now on what is not greater than these counters."""
        self._decryption.continue_after(counters)

    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        """Return a telegram of each meter that has values.

        Raises:
            DecryptionError: it cannot be decrypted, or is a repetition.
        """
        return self._telegrams.telegrams(Frame(self._decryption.read(ciphered(frame.data), _whole)))


def describe(frame: Frame) -> Fields:
    """Return the fields around the ciphertext; nothing is decrypted."""
    telegram = ciphered(frame.data)
    return {
        "system_title": telegram.system_title.hex().upper(),
        "security_control": f"{telegram.control:02X}",
        "invocation_counter": telegram.invocation_counter,
    }


def _whole(plain: bytes) -> bytes:
    """Return the telegram, if the plain text is exactly one whose check is right.

    Raises:
        DecodeError: it is not.
    """
    framer = dsmr.StreamFramer()
    events = [*framer.feed(plain), *framer.silence()]
    if len(events) != 1 or not isinstance(events[0], Frame):
        raise DecodeError("is not a telegram of DSMR P1", field="telegram", value=len(plain), data=plain)
    return plain


def _listener_with(keys: Iterable[MeterKey]) -> Callable[[], TelegramListener]:
    decryption = Decryption(MeterKey(key.encryption, key.authentication or _LUXEMBOURG) for key in keys)
    return lambda: TelegramListener(decryption)


def _with_keys(keys: Mapping[str, MeterKey]) -> PushingProtocol[PushingSettings]:
    return replace(PROTOCOL, listener=_listener_with(keys.values()))


def _extent(buffer: bytes, at: int) -> int:
    head = at + _LENGTH_AT
    length = int.from_bytes(buffer[head : head + 2], "big")
    extent = _LENGTH_AT + 2 + length
    return extent if _HEAD_LENGTH + _LEAST <= extent <= LONGEST else 0


def _flaw(frame: bytes) -> NoiseReason | None:
    return NoiseReason.CUT if frame.find(frame[:_TOLD_APART], 1) > 0 else None


def _direction(frame: bytes) -> Direction:
    return Direction.REPLY


_SHAPE: Final = Shape(
    head=_HEAD,
    head_length=_HEAD_LENGTH,
    starts=b"\xdb",
    longest=LONGEST,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)

PROTOCOL: Final = replace(
    dsmr.PROTOCOL,
    name="dsmr-encrypted",
    title="encrypted DSMR P1",
    spec="Luxembourg Smarty P1 specification 1.1.3 §3.2.5; DSMR P1 Companion Standard 5.0.2",
    framer=StreamFramer,
    describer=lambda: describe,
    listener=TelegramListener,
    longest=LONGEST,
    bytesizes=frozenset({8}),
    with_keys=_with_keys,
    scanning=None,
)
