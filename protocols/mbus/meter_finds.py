"""What is said of a meter that a search found, or of several that answer as one."""

from __future__ import annotations

from typing import Final

from protocols.mbus import application
from protocols.mbus.link import Message
from protocols.mbus.secondary import Secondary
from protocols.toolkit.scanning import Evidence, Find, Trouble

PROTOCOL: Final = "mbus"


def meter(
    address: Secondary, message: Message, *, is_confirmed: bool, has_twin: bool, is_shared: bool
) -> Find:
    """Return a meter that was read by its secondary address.

    Args:
        address: its secondary address.
        message: its telegram.
        is_confirmed: it has confirmed its address since.
        has_twin: another meter has the same number.
        is_shared: another meter has the same primary address.
    """
    keys: dict[str, object] = {"id": address.id}
    if has_twin:
        parts = {
            "manufacturer": address.manufacturer,
            "version": address.version,
            "medium": address.medium,
        }
        keys |= {name: part for name, part in parts.items() if part not in ("", None)}
    return Find(
        protocol=PROTOCOL,
        address=str(address) if has_twin else address.id,
        evidence=Evidence.IDENTIFIED if is_confirmed else Evidence.ANSWERS,
        confidence=1.0 if is_confirmed else None,
        reasons=(
            f"it says so itself{' and confirms it' if is_confirmed else ', once'}: {_title(address)}",
            f"its primary address is {message.a}"
            + (", as another meter's: only by its id can it be called" if is_shared else ""),
        ),
        keys=keys,
        identity=_identity(address),
    )


def primary_meter(number: int, address: Secondary | None, message: Message) -> Find:
    """Return a meter that answered its primary address twice."""
    refusal = application.error_of(message)
    if refusal is not None:
        reason = f"it refuses: {application.error_name(refusal)}"
        return Find(
            protocol=PROTOCOL,
            address=str(number),
            evidence=Evidence.REFUSES,
            reasons=(reason,),
            keys={"address": number},
        )
    if address is None:
        return Find(
            protocol=PROTOCOL,
            address=str(number),
            evidence=Evidence.ANSWERS,
            reasons=("it answers with a telegram that does not say who it is",),
            keys={"address": number},
        )
    return Find(
        protocol=PROTOCOL,
        address=str(number),
        evidence=Evidence.IDENTIFIED,
        confidence=1.0,
        reasons=(f"it says so itself, twice: {_title(address)}",),
        keys={"address": number},
        identity=_identity(address),
    )


def silent_meter(number: int) -> Find:
    """Return a meter that acknowledges its primary address, and no more."""
    return Find(
        protocol=PROTOCOL,
        address=str(number),
        evidence=Evidence.ANSWERS,
        reasons=("it acknowledges, and sends no data",),
        keys={"address": number},
    )


def two_at(number: int) -> Find:
    """Return the find of several meters with one primary address."""
    return _several(
        str(number),
        f"two meters seem to have the primary address {number}: no telegram is whole; search without "
        "--addresses, which finds them by the numbers on their labels",
    )


def tied(pattern: Secondary) -> Find:
    """Return the find of several meters with one secondary address."""
    return _several(
        str(pattern),
        f"two meters seem to have the secondary address {pattern}: no telegram is whole; ask each alone",
    )


def _several(address: str, reason: str) -> Find:
    return Find(
        protocol=PROTOCOL,
        address=address,
        evidence=Evidence.GARBLED,
        trouble=Trouble.TWO_DEVICES,
        reasons=(reason,),
    )


def _identity(address: Secondary) -> dict[str, str]:
    parts = {
        "maker": address.manufacturer,
        "serial": address.id,
        "version": "" if address.version is None else str(address.version),
        "type": "" if address.medium is None else application.MEDIA.get(address.medium, "Reserved"),
    }
    return {name: text for name, text in parts.items() if text}


def _title(address: Secondary) -> str:
    """Return what a meter says of itself, for people."""
    identity = _identity(address)
    return " ".join(identity[name] for name in ("maker", "serial", "type") if name in identity)
