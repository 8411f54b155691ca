"""Declarations that are right, made up: what an integrator may write, as the tables of site.toml."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from protocols.declared.types import TYPES, type_of
from protocols.toolkit.checksum import CHECKSUMS

octet = st.integers(0, 255)
orders = st.sampled_from(["big", "little"])
types = st.sampled_from([*TYPES, "string:3"])
ids = st.sampled_from(["uint8", "uint16", "bcd16", "string:2"])
_HEAD = 4  # octets: sync and, behind it, the length


def _hex(octets: list[int | None]) -> str:
    return " ".join("??" if one is None else f"{one:02X}" for one in octets)


@st.composite
def fields(draw: st.DrawFn, begin: int) -> tuple[dict[str, Any], int]:
    """Fields in a row, some with a gap before them; and the place behind the last one."""
    found: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 5))):
        gap = draw(st.sampled_from([0, 0, 1, 3]))
        kind = draw(types if number else ids)
        entry: dict[str, Any] = {"type": kind}
        if gap or not number:
            entry["at"] = begin + gap
        if draw(st.booleans()) and not kind.startswith("string"):
            entry["order"] = draw(orders)
        if not number and draw(st.booleans()):
            entry["id"] = True
        elif kind in ("uint16", "int32"):
            entry |= draw(st.sampled_from([{}, {"divide": 10, "offset": -40, "at": begin + gap}, {"bit": 3}]))
        found[f"value_{number}"] = entry
        size = type_of(kind)
        assert size is not None
        begin += gap + size.size
    if len(found) == 1:
        found["last"] = {"at": begin}
        begin += 1
    return found, begin


@st.composite
def frames(draw: st.DrawFn) -> dict[str, Any]:
    """A frame: of fixed length or telling it, any checksum in any of its places, with or without an end."""
    sync: list[int | None] = draw(st.lists(octet, min_size=2, max_size=3))
    if draw(st.booleans()):
        sync[draw(st.integers(0, len(sync) - 2))] = None
    told = draw(st.booleans())
    begin = _HEAD if told else len(sync)
    entries, behind = draw(fields(begin))
    name = draw(st.sampled_from(sorted(CHECKSUMS)))
    end = draw(st.lists(octet, max_size=2))
    checksum: dict[str, Any] = {"name": name, "from": draw(st.sampled_from([0, 1]))}
    if draw(st.booleans()):
        checksum["order"] = draw(orders)
    frame: dict[str, Any] = {
        "sync": _hex(sync),
        "order": draw(orders),
        "checksum": checksum,
        "fields": entries,
    }
    if draw(st.booleans()):
        frame["checksum"] |= {"at": behind, "to": behind}
        behind += CHECKSUMS[name].size
        back = len(end)
    else:
        back = CHECKSUMS[name].size + len(end)
    if end:
        frame["end"] = _hex(list(end))
    shortest = behind + back
    if told:
        add = draw(st.integers(-2, shortest))
        frame["length"] = {"at": _HEAD - 1, "add": add, "max": shortest + draw(st.integers(0, 9))}
    else:
        frame["length"] = shortest + draw(st.integers(0, 3)) * ("at" in checksum)
    return frame


@st.composite
def raws_of(draw: st.DrawFn, frame: dict[str, Any]) -> dict[str, Any]:
    """Something to stand in each field, as its layout takes it."""
    found: dict[str, Any] = {}
    for name, entry in frame["fields"].items():
        kind = type_of(entry.get("type", "uint8"))
        assert kind is not None
        if kind.name.startswith("float"):
            found[name] = draw(st.floats(width=32, allow_nan=False, allow_infinity=False))
        elif kind.bits is None:
            digits = st.integers(0, 10 ** (2 * kind.size) - 1).map(
                lambda n, size=kind.size: bytes.fromhex(f"{n:0{2 * size}}")
            )
            letters = st.text("ABCxyz", min_size=kind.size, max_size=kind.size).map(str.encode)
            found[name] = draw(digits if kind.name.startswith("bcd") else letters)
        else:
            least = -(1 << kind.bits - 1) if kind.name.startswith("int") else 0
            found[name] = draw(st.integers(least, least + (1 << kind.bits) - 1))
    return found
