"""SML's binary encoding: every element tells its type and length, so what follows needs no layout.

    bit 7: another TL octet follows, with four more bits of length | bits 6–4: type | bits 3–0: length

    0  octet string     4  boolean     5  signed     6  unsigned     7  list

The length of a list is the number of its elements; of all else that of the element in octets, TL octets
included. Numbers have 1 to 8 octets, high octet first; leading ones may be left out. An octet string of
nothing (01) stands for an optional element that was left out, 00 ends a message.
"""

from __future__ import annotations

from typing import Final

from protocols.toolkit.octet_reader import OctetReader

Element = bytes | bool | int | list["Element"] | None
"""None: an optional element that was left out."""

END_OF_MESSAGE: Final = b"\0"

_MORE, _TYPE, _LENGTH = 0x80, 0x70, 0x0F
_OCTETS, _BOOLEAN, _SIGNED, _UNSIGNED, _LIST = 0x00, 0x40, 0x50, 0x60, 0x70
_MAX_NUMBER = 8
_MAX_DEPTH = 16  # of lists in lists; the trees of SML_GetProcParameter have no limit


class Reader(OctetReader):
    """Reads elements, one after the other."""

    def element(self, name: str, depth: int = 0) -> Element:
        """Read the next element, which is, or is part of, what the specification calls `name`."""
        kind, length = self._head(name)
        if kind == _LIST:
            if depth == _MAX_DEPTH:
                raise self._error(name, f"lists more than {_MAX_DEPTH} deep", length)
            return [self.element(name, depth + 1) for _ in range(length)]
        octets = self.octets(name, length)
        if kind == _OCTETS:
            return octets or None
        if kind == _BOOLEAN and length == 1:
            return any(octets)
        if kind in (_SIGNED, _UNSIGNED) and 1 <= length <= _MAX_NUMBER:
            return int.from_bytes(octets, "big", signed=kind == _SIGNED)
        raise self._error(name, f"type {kind >> 4} of {length} octets is none", octets.hex())

    def list_of(self, name: str, length: int) -> None:
        """Read the head of a list that must have `length` elements; the elements follow it."""
        kind, elements = self._head(name)
        if (kind, elements) != (_LIST, length):
            raise self._error(name, f"is not a list of {length}", elements)

    def end_of_message(self) -> None:
        """Read the octet 00 that ends a message."""
        if (octet := self.octets("endOfSmlMsg", 1)) != END_OF_MESSAGE:
            raise self._error("endOfSmlMsg", "is not 00", octet.hex())

    def _head(self, name: str) -> tuple[int, int]:
        """Read a head: its type, and its length in elements of a list or in octets behind the head."""
        start = self.at
        (octet,) = self.octets(name, 1)
        kind, length = octet & _TYPE, octet & _LENGTH
        while octet & _MORE:
            (octet,) = self.octets(name, 1)
            length = length << 4 | octet & _LENGTH
        if kind != _LIST:
            length -= self.at - start
        if length < 0:
            raise self._error(name, "ends a message too early", octet)
        return kind, length
