"""The errors of protocols: in the octets on a line, and in the settings of a sensor."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, Literal

Path = tuple[str | int, ...]
Problem = tuple[Path, str]  # where in a sensor's table, and the rule, the value and the fix


class ProtocolError(Exception):
    """The octets on the line are at fault."""


class FrameError(ProtocolError):
    """Octets passed as one frame are not one: wrong length or checksum."""


class DecodeError(ProtocolError):
    """A good frame has content that cannot be right.

    Attributes:
        field: the field under its manual's name.
        value: the content of the field.
        data: the raw bytes of the frame.
    """

    def __init__(self, message: str, *, field: str, value: object, data: bytes) -> None:
        super().__init__(f"{field}: {message} (got {value!r})")
        self.field = field
        self.value = value
        self.data = data


DecryptionReason = Literal["no_key", "wrong_key", "replayed"]


class DecryptionError(DecodeError):
    """A telegram that cannot be decrypted, or must not be used.

    Attributes:
        reason: which of these it is, to count them: `NO_KEY`, `WRONG_KEY` or `REPLAYED`.
        message: one sentence, with the meter and the next step.
    """

    NO_KEY: Final = "no_key"
    WRONG_KEY: Final = "wrong_key"
    REPLAYED: Final = "replayed"

    def __init__(
        self, message: str, *, reason: DecryptionReason, field: str, value: object, data: bytes
    ) -> None:
        super().__init__(message, field=field, value=value, data=data)
        self.reason = reason
        self.message = message


class Refusal(Enum):
    """The kind of a refusal, whatever number the protocol has for it."""

    FUNCTION = "function"  # it cannot do that at all
    ADDRESS = "address"  # it has nothing there
    VALUE = "value"  # not so much, or not so
    FAILURE = "failure"  # something in it is broken
    BUSY = "busy"  # not now
    UNREACHABLE = "unreachable"  # what is behind it does not answer
    OTHER = "other"


class DeviceRefusal(ProtocolError):
    """A refusal by the device: a fact, not a fault.

    Attributes:
        code: the device's own number for the reason (Modbus: the exception code).
        request: the request in words ("input registers 0–9").
        kind: what the reason comes to, for the next step.
    """

    def __init__(self, message: str, *, code: int, request: str, kind: Refusal = Refusal.OTHER) -> None:
        super().__init__(f"{request}: {message}")
        self.code = code
        self.request = request
        self.kind = kind


class SettingsError(ValueError):
    """A sensor's settings are wrong; all mistakes at once.

    Attributes:
        problems: (path below the sensor's table, rule and value and fix) of each mistake.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {message}" for path, message in problems))
        self.problems = tuple(problems)


class PackageError(Exception):
    """A protocol of another package cannot be used; one sentence with the name of the package."""
