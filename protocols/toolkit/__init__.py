"""What protocols are made of, and the interface for protocols of other packages: one import for all of it.

    from protocols.toolkit import Frame, LineSettings, PushingKeys, PushingProtocol, SearchFramer, Shape

Stability: from 1.0 until 2.0 the names in `__all__` keep their meaning, their fields and their arguments;
what is added has a default. Before 1.0 a minor version may change them, and CHANGELOG.md says how. Whatever
else can be imported from here may change at any time.

A name is imported from its module when it is first used: a service that decodes nothing pays for no decoder.
Nothing here knows a protocol.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from protocols.toolkit import layout, obis
    from protocols.toolkit.checksum import CHECKSUMS, Checksum
    from protocols.toolkit.errors import (
        DecodeError,
        DecryptionError,
        DeviceRefusal,
        FrameError,
        Problem,
        ProtocolError,
        Refusal,
        SettingsError,
    )
    from protocols.toolkit.framing import Direction, Event, Frame, Framer, Noise, NoiseReason
    from protocols.toolkit.keys import (
        is_number,
        is_whole,
        parse_value_names,
        shown,
        unknown_key,
        unknown_keys,
    )
    from protocols.toolkit.lessons import Lessons
    from protocols.toolkit.meter_keys import MeterKey
    from protocols.toolkit.octet_reader import OctetReader
    from protocols.toolkit.polling import (
        Device,
        Dialogue,
        Learns,
        LineSettings,
        NotAsked,
        PollResult,
        Request,
        SharesAddress,
        Value,
        Values,
    )
    from protocols.toolkit.protocol import (
        Describe,
        Fields,
        Models,
        PolledProtocol,
        Protocol,
        ProtocolTemplate,
        PushingProtocol,
        Settings,
    )
    from protocols.toolkit.pushing import (
        CountsInvocations,
        Identity,
        Listener,
        PushingKeys,
        PushingSettings,
        Telegram,
    )
    from protocols.toolkit.scaling import Meaning, Missing
    from protocols.toolkit.scanning import (
        Claim,
        Evidence,
        Find,
        Heard,
        Probe,
        Scanning,
        Scope,
        Search,
        Trouble,
        claim_of,
        numbers_in,
    )
    from protocols.toolkit.search import SearchFramer, Shape
    from protocols.toolkit.simulation import Dialect
    from protocols.toolkit.value_list import ValueKeys, ValueSettings

__all__ = [
    "CHECKSUMS",
    "Checksum",
    "Claim",
    "CountsInvocations",
    "DecodeError",
    "DecryptionError",
    "Describe",
    "Device",
    "DeviceRefusal",
    "Dialect",
    "Dialogue",
    "Direction",
    "Event",
    "Evidence",
    "Fields",
    "Find",
    "Frame",
    "FrameError",
    "Framer",
    "Heard",
    "Identity",
    "Learns",
    "Lessons",
    "LineSettings",
    "Listener",
    "Meaning",
    "MeterKey",
    "Missing",
    "Models",
    "Noise",
    "NoiseReason",
    "NotAsked",
    "OctetReader",
    "PollResult",
    "PolledProtocol",
    "Probe",
    "Problem",
    "Protocol",
    "ProtocolError",
    "ProtocolTemplate",
    "PushingKeys",
    "PushingProtocol",
    "PushingSettings",
    "Refusal",
    "Request",
    "Scanning",
    "Scope",
    "Search",
    "SearchFramer",
    "Settings",
    "SettingsError",
    "Shape",
    "SharesAddress",
    "Telegram",
    "Trouble",
    "Value",
    "ValueKeys",
    "ValueSettings",
    "Values",
    "claim_of",
    "is_number",
    "is_whole",
    "layout",
    "numbers_in",
    "obis",
    "parse_value_names",
    "shown",
    "unknown_key",
    "unknown_keys",
]

_HOMES: Final = {  # module → its names
    "checksum": "CHECKSUMS Checksum",
    "errors": "DecodeError DecryptionError DeviceRefusal FrameError Problem ProtocolError "
    "Refusal SettingsError",
    "framing": "Direction Event Frame Framer Noise NoiseReason",
    "keys": "is_number is_whole parse_value_names shown unknown_key unknown_keys",
    "lessons": "Lessons",
    "meter_keys": "MeterKey",
    "octet_reader": "OctetReader",
    "polling": "Device Dialogue Learns LineSettings NotAsked PollResult Request SharesAddress Value Values",
    "protocol": "Describe Fields Models PolledProtocol Protocol ProtocolTemplate PushingProtocol Settings",
    "pushing": "CountsInvocations Identity Listener PushingKeys PushingSettings Telegram",
    "scaling": "Meaning Missing",
    "scanning": "Claim Evidence Find Heard Probe Scanning Scope Search Trouble claim_of numbers_in",
    "search": "SearchFramer Shape",
    "simulation": "Dialect",
    "value_list": "ValueKeys ValueSettings",
}
_WHOLE_MODULES: Final = ("layout", "obis")
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Return a name of `__all__` from its module, which is imported now."""
    if name in _WHOLE_MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
