"""What is said of a meter that a search found, or of several that answer as one."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.toolkit.scanning import Evidence, Find, Trouble


def meter(protocol: str, year: int, address: str, names: Sequence[str], *, is_claimed: bool) -> Find:
    """Return a meter that answered its own address.

    Args:
        protocol: the edition's name in site.toml.
        year: of the edition.
        address: its number.
        names: the values that it has.
        is_claimed: it answered twice, with a value.
    """
    reasons = (
        f"it answered its own address twice, as DL/T 645-{year} has it"
        if is_claimed
        else "it answers its own address, and does not tell its energy"
    )
    return Find(
        protocol=protocol,
        address=address,
        evidence=Evidence.IDENTIFIED if is_claimed else Evidence.ANSWERS,
        confidence=1.0 if is_claimed else None,
        reasons=(reasons,),
        keys={"address": address} | ({"values": list(names)} if names else {}),
        identity={"serial": address},
    )


def garbled(protocol: str, address: str) -> Find:
    """Return the find of somebody at an address from whom no reply is whole."""
    return Find(
        protocol=protocol,
        address=address,
        evidence=Evidence.GARBLED,
        trouble=Trouble.TWO_DEVICES,
        reasons=(f"somebody answers {address}, and no reply is whole: two meters with one number?",),
    )
