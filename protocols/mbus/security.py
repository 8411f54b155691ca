"""EN 13757-7 and OMS volume 2: the security modes 5 and 7, AES-128 in CBC.

    mode 5   key: the meter's
             initialization vector: manufacturer 2 | id 4 | version | medium | 8 × access number
    mode 7   key: CMAC(the meter's, 00 | message counter 4 | id 4 | 7 × 07)
             initialization vector: 0

    signature: mode bits 12–8, encrypted blocks of 16 octets bits 7–4; in mode 7 one octet more follows it

The encrypted text begins with 2F 2F; with a wrong key it does not, but for one in 65536. The octets after
the blocks are not encrypted. The message counter stands in an authentication and fragmentation layer, whose
MAC is not checked:

    CI 90 | length | FCL 2 | MCL | message counter 4 | MAC … | CI 72 …        FCL says which there are
"""

from __future__ import annotations

from typing import Final

from protocols.toolkit.errors import FrameError
from protocols.toolkit.meter_keys import MeterKey

AFL: Final = 0x90
CBC_OF_METER, CBC_DERIVED = 5, 7
EXTENSION_LENGTH: Final = {
    CBC_OF_METER: 0,
    CBC_DERIVED: 1,
}  # of the modes read here, octets behind the signature

_BLOCK = 16
_BEGIN = b"\x2f\x2f"
_FCL_LENGTH, _MCL_LENGTH, _KEY_LENGTH, _COUNTER_LENGTH = 2, 1, 2, 4
_IS_FRAGMENT, _HAS_MCL, _HAS_COUNTER, _HAS_KEY = 0x4000, 0x2000, 0x0800, 0x0200


def without_layer(data: bytes) -> tuple[int, bytes, bytes]:
    """Return the content of an authentication and fragmentation layer.

    Args:
        data: the octets after CI 90.

    Returns:
        The CI after the layer, the octets after that CI, and the message counter or b"".

    Raises:
        FrameError: it is too short, or only a fragment.
    """
    end = 1 + data[0] if data else 0
    fcl = int.from_bytes(data[1 : 1 + _FCL_LENGTH], "little")
    if len(data) <= end or end <= _FCL_LENGTH or fcl & _IS_FRAGMENT:
        raise FrameError("the authentication and fragmentation layer is not whole")
    at = 1 + _FCL_LENGTH
    at += _MCL_LENGTH if fcl & _HAS_MCL else 0
    at += _KEY_LENGTH if fcl & _HAS_KEY else 0
    counter = data[at : at + _COUNTER_LENGTH] if fcl & _HAS_COUNTER else b""
    return data[end], data[end + 1 :], counter


def decrypted(
    address: bytes, access_number: int, signature: int, data: bytes, key: MeterKey, counter: bytes
) -> bytes:
    """Return the records in plain text.

    Args:
        address: id 4, manufacturer 2, version, medium, as in the header.
        access_number: the access number in the header.
        signature: the signature in the header.
        data: the octets after the signature.
        key: the key of the meter.
        counter: the message counter, or b"".

    Raises:
        FrameError: the blocks are not all there, the counter is missing, or the key does not fit.
    """
    mode = signature >> 8 & 0x1F
    text = data[EXTENSION_LENGTH[mode] :]
    length = (signature >> 4 & 0x0F) * _BLOCK
    if len(text) < length:
        raise FrameError("the telegram ends within what is encrypted")
    if mode == CBC_OF_METER:
        vector = address[4:6] + address[:4] + address[6:] + bytes((access_number,)) * 8
        plain = _cbc(key.encryption, vector, text[:length])
    elif len(counter) == _COUNTER_LENGTH:
        plain = _cbc(_derived(key.encryption, counter, address[:4]), bytes(_BLOCK), text[:length])
    else:
        raise FrameError("the telegram has no message counter")
    if length and not plain.startswith(_BEGIN):
        raise FrameError("the key does not decrypt the telegram: compare it with what the operator told")
    return plain + text[length:]


def _derived(key: bytes, counter: bytes, number: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # only where there is a key
    from cryptography.hazmat.primitives.cmac import CMAC

    derivation = CMAC(AES(key))
    derivation.update(b"\0" + counter + number + b"\x07" * 7)
    return derivation.finalize()


def _cbc(key: bytes, vector: bytes, text: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # only where there is a key

    decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    return decryptor.update(text) + decryptor.finalize()
