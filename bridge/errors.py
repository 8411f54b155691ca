"""The errors of the world around the bridge, one class for each way to act on them."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.causes import Cause, diagnosis


class BridgeError(Exception):
    """A fault of the world around the bridge: site, port, device, disk, server."""


class ConfigError(BridgeError):
    """The site cannot start as written: every mistake at once, one line each, with file, line, rule, fix."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class StepsFailed(BridgeError):
    """Some steps of a job failed, and the others are done: one sentence for each that failed."""

    def __init__(self, failures: Sequence[str]) -> None:
        super().__init__("\n".join(failures))
        self.failures = tuple(failures)


class PortLost(BridgeError):
    """The port is missing, busy, unplugged or failed: reopen with back-off. The message says which.

    Attributes:
        cause: which of these it is.
    """

    def __init__(self, message: str, cause: Cause = Cause.PORT_FAILED) -> None:
        super().__init__(message)
        self.cause = cause


def port_lost(port: str, cause: Cause, detail: str = "", next_step: str = "") -> PortLost:
    """Return the error for a port that does not work; arguments as for `causes.diagnosis`."""
    return PortLost(f"{port} {diagnosis(cause, detail, next_step)}", cause)


class NoReply(BridgeError, TimeoutError):
    """A missing or unusable reply: count it, retry by policy, go on to the next device.

    Attributes:
        cause: what was on the line instead.
        detail: more on that, for `causes.diagnosis`.
        octets: what was heard instead, without the request's echo.
        turn_around_s: from the end of the request to the first of these octets; 0.0 if there are none.
    """

    def __init__(
        self,
        message: str,
        cause: Cause = Cause.SILENT,
        detail: str = "",
        *,
        octets: bytes = b"",
        turn_around_s: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.detail = detail
        self.octets = octets
        self.turn_around_s = turn_around_s


class AlreadyRunning(BridgeError):
    """Another process does this job on this spool; the message names its pid."""


class SpoolDamaged(BridgeError):
    """The spool's file cannot be read as a database."""


class SpoolFull(BridgeError):
    """The disk has no room for the readings."""


class UplinkError(BridgeError):
    """The server was not reached, or did not answer: keep the data, back off, try again."""


class NotTrusted(UplinkError):
    """One side does not accept the other's certificate, or ours is unusable: somebody must act."""


class ConnectionEnded(UplinkError):
    """The server ended the connection in good order, to restart or with a new certificate: connect anew."""


class PathTooNarrow(UplinkError):
    """A message was lost on its way because of its length; shorter ones arrive: send those at once."""

    def __init__(self, where: str, length: int) -> None:
        super().__init__(
            f"a message of {length} bytes to {where} was swallowed while the server answers others: "
            "shorter ones are sent; look for a tunnel or firewall that drops long or fragmented datagrams"
        )
