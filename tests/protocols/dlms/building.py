"""Pushes built from the rules: A-XDR data, notifications, ciphering, and the frames that carry them."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocols import load
from protocols.dlms import hdlc, wired_mbus
from protocols.toolkit.framing import Frame
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.pushing import Telegram

TITLE = bytes.fromhex("4C475A6770000001")
KEY = MeterKey(bytes(range(16)), bytes(range(0xD0, 0xE0)))
LLC = bytes.fromhex("E6E700")


def code(text: str) -> bytes:
    """Return an OBIS code as an octet string: code("1.0.1.7.0.255")."""
    return b"\x09\x06" + bytes(map(int, text.split(".")))


def u32(number: int) -> bytes:
    return b"\x06" + number.to_bytes(4, "big")


def u16(number: int) -> bytes:
    return b"\x12" + number.to_bytes(2, "big")


def text(characters: str) -> bytes:
    return bytes((10, len(characters))) + characters.encode()


def scale(scaler: int, unit: int) -> bytes:
    return b"\x02\x02\x0f" + scaler.to_bytes(1, "big", signed=True) + bytes((0x16, unit))


def structure(*elements: bytes) -> bytes:
    return bytes((2, len(elements))) + b"".join(elements)


def notification(body: bytes, date_time: str = "") -> bytes:
    octets = bytes.fromhex(date_time)
    return bytes.fromhex("0F40000000") + bytes((len(octets),)) + octets + body


def length(count: int) -> bytes:
    return bytes((count,)) if count < 0x80 else b"\x82" + count.to_bytes(2, "big")


def ciphered(
    apdu: bytes, counter: int = 1, key: MeterKey = KEY, title: bytes = TITLE, control: int = 0x30
) -> bytes:
    """general-glo-ciphering; 0x20: without a tag."""
    vector = title + counter.to_bytes(4, "big")
    encryptor = Cipher(algorithms.AES(key.encryption), modes.GCM(vector)).encryptor()
    encryptor.authenticate_additional_data(bytes((control,)) + (key.authentication or b""))
    content = bytes((control,)) + counter.to_bytes(4, "big") + encryptor.update(apdu) + encryptor.finalize()
    if control & 0x10:
        content += encryptor.tag[:12]
    return b"\xdb\x08" + title + length(len(content)) + content


def frames(apdu: bytes, size: int = 120) -> list[bytes]:
    """HDLC frames, segmented."""
    data = LLC + apdu
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return [hdlc.build(part, is_segmented=part is not parts[-1]) for part in parts]


def blocks(apdu: bytes, size: int = 120) -> list[bytes]:
    """HDLC frames with general-block-transfer."""
    parts = [apdu[at : at + size] for at in range(0, len(apdu), size)]
    found = []
    for number, part in enumerate(parts, 1):
        control = 0xC0 if part is parts[-1] else 0x40
        head = bytes((0xE0, control)) + number.to_bytes(2, "big") + bytes(2) + length(len(part))
        found.append(hdlc.build((LLC if number == 1 else b"") + head + part))
    return found


def mbus_frames(apdu: bytes) -> list[bytes]:
    size = wired_mbus.MAX_DATA
    parts = [apdu[at : at + size] for at in range(0, len(apdu), size)]
    return [
        wired_mbus.build(wired_mbus.Segment(number, part is parts[-1], part))
        for number, part in enumerate(parts)
    ]


def told(stream: Iterable[bytes], *keys: MeterKey) -> list[Telegram]:
    """Return what a listener with these keys hears in frames that a framer finds in these octets."""
    entry = load("dlms-push")
    assert entry.with_keys is not None
    if keys:
        entry = entry.with_keys({str(index): key for index, key in enumerate(keys)})
    framer, listener = entry.framer(), entry.listener()
    return [
        telegram
        for octets in stream
        for event in framer.feed(octets)
        if isinstance(event, Frame)
        for telegram in listener.telegrams(event)
    ]
