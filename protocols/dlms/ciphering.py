"""Security suites 0 and 1 of DLMS/COSEM: AES-128 in Galois/counter mode, and the counter against repetition.

Spec: IEC 62056-5-3 (Green Book 8 §9.2.3.3 and §9.2.7.2).

    initialization vector: system title 8 | invocation counter 4
    additional data:       security control 1 | authentication key 16
    security control:      compressed 80, broadcast key 40, encrypted 20, authenticated 10 | suite 4 bits

Many grid operators tell the encryption key alone. Without the authentication key a tag cannot be checked:
such a telegram is decrypted in counter mode, and whether that made sense is told by what comes out, which
must be one APDU, whole. With both keys the tag decides.

The counter of a meter only grows. A telegram with a counter that is not greater than the last good one is a
repetition, whoever sent it. A counter counts only once its telegram has made sense, so that damage cannot
push it forward. It belongs to a key: a new key begins with a counter of its own. Nothing is kept here beyond
the process: `counters` and `continue_after` let the last ones be carried into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Final, TypeVar

from protocols.dlms.apdu import Ciphered
from protocols.toolkit.errors import DecodeError, DecryptionError, DecryptionReason, FrameError
from protocols.toolkit.meter_keys import MeterKey

TAG_LENGTH: Final = 12

_COMPRESSED, _ENCRYPTED, _AUTHENTICATED, _SUITE = 0x80, 0x20, 0x10, 0x0F
_SUITES: Final = (0, 1)  # both encrypt with AES-128; they differ in signatures and in how keys are agreed
_FIRST_BLOCK: Final = (2).to_bytes(4, "big")  # of the counter mode inside GCM: block 1 makes the tag

Meaning = TypeVar("Meaning")


class Decryption:
    """Decrypts the telegrams of one line.

    Args:
        keys: of the meters that may speak there.
    """

    def __init__(self, keys: Iterable[MeterKey]) -> None:
        self._keys = tuple(dict.fromkeys(keys))
        self._counters: dict[str, int] = {}  # the last good one, by system title and key

    @property
    def counters(self) -> Mapping[str, int]:
        """Return the last good counter of each meter, by its system title and the fingerprint of its key."""
        return self._counters

    def continue_after(self, counters: Mapping[str, int]) -> None:
        """Refuse from now on what is not greater than these counters."""
        for name, counter in counters.items():
            self._counters[name] = max(counter, self._counters.get(name, counter))

    def read(self, telegram: Ciphered, meaning: Callable[[bytes], Meaning]) -> Meaning:
        """Return what a telegram means.

        Args:
            meaning: reads the plain text; raises DecodeError if it makes no sense.

        Raises:
            DecryptionError: no key fits, or it is a repetition.
            DecodeError: it is not encrypted in a way that is read here.
        """
        title = telegram.system_title.hex().upper()
        if not self._keys:
            raise _error(
                telegram,
                DecryptionError.NO_KEY,
                f"meter {title} encrypts what it sends: write its key under [decryption] in credentials.toml "
                "or decryption.toml",
            )
        last_counter: int | None = None
        for key in self._keys:
            name = f"{title}/{_fingerprint(key)}"
            last = self._counters.get(name)
            if last is not None and telegram.invocation_counter <= last:
                last_counter = last
                continue
            try:
                content = meaning(decrypted(telegram, key))
            except (DecodeError, FrameError, _BadTag):
                continue
            self._counters[name] = telegram.invocation_counter
            return content
        if last_counter is not None:
            raise _error(
                telegram,
                DecryptionError.REPLAYED,
                f"meter {title} sends counter {telegram.invocation_counter} again, "
                f"its last was {last_counter}",
            )
        raise _error(
            telegram,
            DecryptionError.WRONG_KEY,
            f"the key does not decrypt what meter {title} sends: compare it with what the grid operator told",
        )


class _BadTag(Exception):
    """The tag is not that of this text and these keys."""


def decrypted(telegram: Ciphered, key: MeterKey) -> bytes:
    """Return the plain text.

    Raises:
        DecodeError: compressed, of another suite, or not encrypted.
        _BadTag: it was checked, and is wrong.
    """
    control = telegram.control
    if not control & _ENCRYPTED or control & _COMPRESSED or control & _SUITE not in _SUITES:
        raise DecodeError(
            "only encryption with AES-128 and without compression is read",
            field="security-control",
            value=f"{control:02X}",
            data=telegram.text,
        )
    vector = telegram.system_title + telegram.invocation_counter.to_bytes(4, "big")
    if not control & _AUTHENTICATED:
        return _counter_mode(key.encryption, vector, telegram.text)
    text, tag = telegram.text[:-TAG_LENGTH], telegram.text[-TAG_LENGTH:]
    if key.authentication is None:
        return _counter_mode(key.encryption, vector, text)
    return _galois_mode(key.encryption, vector, bytes((control,)) + key.authentication, text, tag)


def _fingerprint(key: MeterKey) -> str:
    """Return what tells the key from others and not what it is."""
    return sha256(b"fingerprint of " + key.encryption).hexdigest()[:8]


def _counter_mode(key: bytes, vector: bytes, text: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # only where there is a key

    decryptor = Cipher(algorithms.AES(key), modes.CTR(vector + _FIRST_BLOCK)).decryptor()
    return decryptor.update(text) + decryptor.finalize()


def _galois_mode(key: bytes, vector: bytes, additional: bytes, text: bytes, tag: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # only where there is a key
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    mode = modes.GCM(vector, tag, min_tag_length=TAG_LENGTH)
    decryptor = Cipher(algorithms.AES(key), mode).decryptor()
    decryptor.authenticate_additional_data(additional)
    plain = decryptor.update(text)
    try:
        return plain + decryptor.finalize()
    except InvalidTag as error:
        raise _BadTag from error


def _error(telegram: Ciphered, reason: DecryptionReason, message: str) -> DecryptionError:
    return DecryptionError(
        message,
        reason=reason,
        field="general-glo-ciphering",
        value=telegram.invocation_counter,
        data=telegram.text,
    )
