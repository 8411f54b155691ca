"""Octets read one after the other, by encodings whose elements tell their own length."""

from __future__ import annotations

from protocols.toolkit.errors import DecodeError


class OctetReader:
    """Reads octets in order; each of its methods raises `DecodeError` at malformed ones.

    Attributes:
        at: how many are read.
    """

    def __init__(self, data: bytes) -> None:
        self.at = 0
        self._data = data

    @property
    def is_at_end(self) -> bool:
        """Return whether all octets are read."""
        return self.at >= len(self._data)

    def octets(self, name: str, count: int) -> bytes:
        """Return the next `count` octets, which the specification calls `name`."""
        octets = self._data[self.at : self.at + count]
        if len(octets) < count:
            raise self._error(name, f"needs {count} octets, {len(octets)} are left", octets.hex())
        self.at += count
        return octets

    def _error(self, name: str, message: str, value: object) -> DecodeError:
        return DecodeError(message, field=name, value=value, data=self._data)
