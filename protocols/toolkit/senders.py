"""Which sensors push, by frames that were heard while only listening.

A sensor is claimed by two telegrams with values that can be for their units. One telegram, or values that
cannot be, are only heard. Where protocols share a shape, each must say itself which frames are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from protocols.toolkit.errors import DecryptionError, ProtocolError, SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.plausibility import is_possible
from protocols.toolkit.polling import Values
from protocols.toolkit.protocol import PushingProtocol, Settings
from protocols.toolkit.scanning import Evidence, Find

_ENOUGH = 2  # telegrams
_NAMED = 4  # values in a reason


def senders(
    record: PushingProtocol[Settings],
    frames: Sequence[Frame],
    keys_of: Callable[[Sequence[Frame]], Mapping[str, object]] = lambda frames: {},
) -> list[Find]:
    """Return the sensors that these frames tell of.

    Args:
        record: the protocol whose frames they are.
        frames: what was heard, in order.
        keys_of: returns further keys of the sensor on the line, such as its model.
    """
    telegrams: dict[str, list[Values]] = {}
    secret = ""
    listener = record.listener()
    for frame in frames:
        try:
            for telegram in listener.telegrams(frame):
                telegrams.setdefault(telegram.sender, []).append(telegram.values)
        except DecryptionError as error:
            secret = str(error)
        except ProtocolError:
            continue
    if not telegrams and secret:
        return [_heard(record, "", f"its telegrams are encrypted: {secret}")]
    more_keys = keys_of(frames)
    return [_find(record, sender, values, more_keys) for sender, values in telegrams.items()]


def _find(
    record: PushingProtocol[Settings],
    sender: str,
    telegrams: Sequence[Values],
    more_keys: Mapping[str, object],
) -> Find:
    """Return what the telegrams of one sensor prove."""
    with_values = [values for values in telegrams if values]
    keys: dict[str, object] = ({"id": sender} if sender else {}) | dict(more_keys)
    if len(telegrams) < _ENOUGH:
        return _heard(record, sender, "one good telegram, and no second one to compare it with")
    if not with_values:
        return _heard(record, sender, f"{len(telegrams)} good telegrams without values: it may be warming up")
    impossible_names = list(_impossible(record, keys, with_values))
    if impossible_names:
        return _heard(record, sender, f"its values cannot be: {', '.join(impossible_names[:_NAMED])}")
    model = keys.get("model")
    return Find(
        protocol=record.name,
        address=sender,
        evidence=Evidence.IDENTIFIED,
        model=model if isinstance(model, str) else None,
        confidence=0.95,
        reasons=(
            f"{record.title}: {len(telegrams)} good telegrams",
            f"it tells {_listed(with_values[-1])}",
        ),
        keys=keys,
    )


def _impossible(
    record: PushingProtocol[Settings], keys: Mapping[str, object], telegrams: Sequence[Values]
) -> Iterator[str]:
    """Yield the names of values that cannot be for their units."""
    try:
        units = record.settings(keys).units
    except SettingsError:
        units = {}
    for values in telegrams:
        for name, value in values.items():
            if not is_possible(value, units.get(name, "")):
                yield f"{name} {value}"


def _heard(record: PushingProtocol[Settings], sender: str, reason: str) -> Find:
    return Find(protocol=record.name, address=sender, evidence=Evidence.HEARD, reasons=(reason,))


def _listed(values: Values) -> str:
    more = " …" if len(values) > _NAMED else ""
    return ", ".join(f"{name} {value}" for name, value in list(values.items())[:_NAMED]) + more
