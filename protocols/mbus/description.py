"""Frames into fields: for people, and for what reads `decode --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from protocols.mbus import application, link
from protocols.mbus.items import named, values
from protocols.mbus.link import Message
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import Fields

_RESETS_AND_SELECTIONS: Final = {application.RESET: "application reset", application.SELECT: "selection"}


def describe(frame: Frame) -> Fields:
    """Return the fields of the link layer and the header, and each record under its name, with its unit."""
    message = link.parse(frame)
    if message is None:
        return {"frame": "ack"}
    fields: Fields = {"frame": "short", "c": message.c, "a": message.a}
    function = link.FUNCTIONS.get(message.c & link.FUNCTION)
    if function:
        fields["function"] = function
    if message.c & link.PRIMARY and message.c != link.SND_NKE:
        fields["fcb"] = int(bool(message.c & link.FCB))
    if message.ci is None:
        return fields
    fields |= {"frame": "long" if message.data else "control", "ci": message.ci}
    return fields | _content(message)


def _content(message: Message) -> Fields:
    error = application.error_of(message)
    if error is not None:
        return {"application_error": error, "error_text": application.error_name(error)}
    if message.ci in _RESETS_AND_SELECTIONS:
        return {"command": _RESETS_AND_SELECTIONS[message.ci], "data": message.data.hex()}
    telegram = application.read(message)
    if telegram is None or not message.data:
        return {"data": message.data.hex()}
    fields: Fields = dict(telegram.header)
    if "medium_code" in fields:
        fields["medium"] = application.MEDIA.get(fields["medium_code"], "Reserved")
    if telegram.mode:
        return fields | {"encryption_mode": telegram.mode, "values": {}}
    items = named(telegram.items)
    fields["values"] = values(items)
    fields["records"] = [asdict(item) for item in items.values()]
    fields["record_count"] = len(items) + (telegram.manufacturer_data is not None)
    return fields | _remaining(telegram)


def _remaining(telegram: application.Telegram) -> dict[str, Any]:
    fields: dict[str, Any] = {"more_records_follow": telegram.more_follow}
    if telegram.manufacturer_data is not None:
        fields["manufacturer_data"] = telegram.manufacturer_data.hex()
    if telegram.fault:
        fields["fault"] = telegram.fault
    return fields
