"""Why there is no reply, no value or no port: one cause, one sentence, one next step. Pure.

    what the machine knows ─▶ what was on the line instead of a reply ─▶ what the device says
    held, gone, forbidden     nothing, octets, frames, an echo …         an exception, by its kind

The same fault is seen by `try`, the log, `status`, `doctor` and whoever comes later. Each asks this module
what to say, and puts the name of the port, the bus or the sensor before it. The port comes first: as long as
it is not open, nothing can be said of a sensor. docs/operations.md shows the table, and a test compares them.

One wait for a reply may mislead: a burst of noise falls just where a dead sensor is asked. So causes are
collected from the first miss on, and the one that was seen most often of late is said (`Suspicion`).
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocols.toolkit.errors import DeviceRefusal, Refusal


class Cause(Enum):
    """The reason why there is no reply, no value or no port."""

    # The machine knows before anything is asked.
    PORT_HELD = "port held"  # another program has it open
    PORT_GONE = "port gone"  # the adapter is not plugged in
    PORT_PULLED = "port pulled out"  # it was open, and is gone or failed
    PORT_FORBIDDEN = "port forbidden"  # this user may not open it
    PORT_FAILED = "port failed"  # it is there and does not open, or is something else

    # On the line, instead of a reply.
    SILENT = "silent"  # nothing
    NOISE = "noise"  # octets that make no frame
    FRAMING = "framing errors"  # the same, and the UART counted octets without a stop bit
    PARITY = "parity errors"  # the same, and the UART counted octets with a wrong parity bit
    DAMAGED = "damaged"  # a reply with a wrong checksum
    CUT = "cut"  # the beginning of a reply
    OTHER_ADDRESS = "other address"  # frames of a unit that was not asked
    OTHER_REPLY = "other reply"  # of the unit that was asked, with another function or length
    ECHO = "echo"  # our own request, and nothing else
    LATE = "late"  # the reply, after its time-out
    TWO_DEVICES = "two devices"  # two replies to one request, one after the other or both at once
    OTHER_MASTER = "other master"  # frames of other units, whether anything was asked or not
    LOUD = "loud"  # a line that does not fall quiet, so that nothing could be asked
    NOT_HEARD = "not heard"  # nothing, of a sensor that speaks unasked
    NOT_OVERHEARD = "not overheard"  # nothing, of a sensor that another master asks
    OTHER_ID = "other id"  # sensors that speak unasked, with other ids
    HELD = "held"  # nothing was asked: an earlier reply may still come and would be mistaken for this one

    # The device says so.
    NO_FUNCTION = "illegal function"
    NO_ADDRESS = "illegal data address"
    NO_VALUE = "illegal data value"
    FAILURE = "device failure"
    BUSY = "device busy"
    UNREACHABLE = "device behind a gateway unreachable"
    REFUSED = "refused"  # for another reason
    NONSENSE = "nonsense"  # a good frame whose content cannot be right
    FAILED = "failed"  # the code of its protocol, in a way that nobody foresaw


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is said of a cause.

    Attributes:
        cause: the cause.
        observation: what was seen; it follows the name of the port or the sensor.
        next_step: what to do about it.
    """

    cause: Cause
    observation: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.observation}: {self.next_step}"


_SAID: Final = {
    Cause.PORT_HELD: ("is used by another program{}", "stop it"),
    Cause.PORT_GONE: ("is not there{}", "plug in the adapter"),
    Cause.PORT_PULLED: (
        "was unplugged or failed{}",
        "plug it in again; if nobody pulled it, see: serial-bridge doctor",
    ),
    Cause.PORT_FORBIDDEN: ("does not open, permission denied{}", "add the user to the group of the device"),
    Cause.PORT_FAILED: ("does not open{}", "unplug the adapter, plug it in again, and see: journalctl -k"),
    Cause.SILENT: (
        "does not answer",
        "check its power, then A and B (swapped?), its address, and baud rate and parity in its manual",
    ),
    Cause.NOISE: (
        "is not understood, the octets heard make no frame",
        "compare baud rate and parity with its manual, then look for missing termination and for a second "
        "device with its address",
    ),
    Cause.FRAMING: (
        "is not understood, octets have no stop bit (framing errors of the UART)",
        "compare the baud rate with its manual, then parity; then A and B (swapped?) and termination",
    ),
    Cause.PARITY: (
        "is not understood, octets have a wrong parity bit (parity errors of the UART)",
        "compare parity with its manual",
    ),
    Cause.DAMAGED: (
        "answers, and the checksum is wrong",
        "look for missing termination, a loose wire, interference, then for a second device with its address",
    ),
    Cause.CUT: (
        "begins to answer and stops",
        "look for a loose wire; if it pauses inside its reply, set pause_within_reply on the bus",
    ),
    Cause.OTHER_ADDRESS: (
        "does not answer, another address does",
        "compare the address set on it with site.toml",
    ),
    Cause.OTHER_REPLY: (
        "answers with another function or length than was asked for",
        "compare its model and its protocol in site.toml with what it is",
    ),
    Cause.ECHO: (
        "does not answer, only the adapter hears itself",
        "the adapter works: check the power of the sensor, then A and B (swapped?), and its address",
    ),
    Cause.LATE: (
        "answers slowly{}",
        "nothing needs to be set, it is waited for; if others lose their turn, give it a longer every",
    ),
    Cause.TWO_DEVICES: (
        "is answered twice, by two devices with this address",
        "disconnect one of them, and give it an address of its own",
    ),
    Cause.OTHER_MASTER: (
        "shares the line with another master, which asks other units",
        "stop the other master: only one may ask on a line",
    ),
    Cause.LOUD: (
        "cannot be asked, as the line does not fall quiet",
        "look for another master, or a device that does not stop",
    ),
    Cause.NOT_HEARD: (
        "is not heard",
        "check its power, then its wiring (RX and TX, A and B), then its line settings",
    ),
    Cause.NOT_OVERHEARD: (
        "is not heard, no reply of it to the master of this line can be read",
        "check that the master asks it, its address, the line settings, then A and B",
    ),
    Cause.OTHER_ID: ("is not heard, other sensors are{}", "compare its id in site.toml with these"),
    Cause.HELD: (
        "was not asked, as an earlier reply could be taken for its own",
        "wait, it is asked again by itself",
    ),
    Cause.NO_FUNCTION: (
        "refuses {}",
        "it has no such table: take input instead of holding, or the other way round",
    ),
    Cause.NO_ADDRESS: (
        "refuses {}",
        "is the register input or holding, and does its manual count from 0 or from 1?",
    ),
    Cause.NO_VALUE: (
        "refuses {}",
        "it may not stand so many registers in one read: set max_registers, or compare with its manual",
    ),
    Cause.FAILURE: ("refuses {}", "look at its own display or log, then switch it off and on"),
    Cause.BUSY: ("refuses {}", 'it is asked too quickly: give it gap = "100ms", or a longer every'),
    Cause.UNREACHABLE: (
        "refuses {}",
        "the gateway before it answers: check power, wiring and address of the device behind that",
    ),
    Cause.REFUSED: ("refuses {}", "look up the reason in its manual"),
    Cause.NONSENSE: (
        "answers without sense{}",
        "compare its model, or its registers, with its manual",
    ),
    Cause.FAILED: (
        "cannot be read, its protocol failed{}",
        "report it with the log, where the traceback is; it is tried again at growing distances",
    ),
}

_OF_REFUSALS: Final = {
    Refusal.FUNCTION: Cause.NO_FUNCTION,
    Refusal.ADDRESS: Cause.NO_ADDRESS,
    Refusal.VALUE: Cause.NO_VALUE,
    Refusal.FAILURE: Cause.FAILURE,
    Refusal.BUSY: Cause.BUSY,
    Refusal.UNREACHABLE: Cause.UNREACHABLE,
    Refusal.OTHER: Cause.REFUSED,
}

_CERTAIN: Final = frozenset({Cause.OTHER_MASTER})  # known from more than one wait
_RECENT: Final = 9  # misses that are remembered; odd, so that two causes are seldom level


def diagnosis(cause: Cause, detail: str = "", next_step: str = "") -> Diagnosis:
    """Return what to say of a cause.

    Args:
        cause: the cause.
        detail: what was asked for and how it was refused; else more on what was seen, to stand in brackets.
        next_step: a better one, where the place is known: a group, a process.
    """
    observation, usual_step = _SAID[cause]
    if cause not in _OF_REFUSALS.values():
        detail = f" ({detail})" if detail else ""
    return Diagnosis(cause, observation.format(detail), next_step or usual_step)


def of_refusal(refusal: DeviceRefusal) -> Diagnosis:
    """Return what to say of a refusal: what was asked for, the device's reason, and the step for its kind."""
    return diagnosis(_OF_REFUSALS[refusal.kind], str(refusal))


class Suspicion:
    """The causes of the misses of one device since it answered last."""

    def __init__(self) -> None:
        self._misses: deque[tuple[Cause, str]] = deque(maxlen=_RECENT)

    def add(self, cause: Cause, detail: str = "") -> None:
        """Add the cause of one more miss, with its detail for `diagnosis`."""
        self._misses.append((cause, detail))

    def clear(self) -> None:
        """Forget the misses: it answered."""
        self._misses.clear()

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Return a cause that is certain, or that seen most often, of several the latest; None: no miss."""
        if not self._misses:
            return None
        if self._misses[-1][0] in _CERTAIN:
            return diagnosis(*self._misses[-1])
        counts = Counter(cause for cause, _ in self._misses)
        most = max(counts.values())
        cause, detail = next(miss for miss in reversed(self._misses) if counts[miss[0]] == most)
        return diagnosis(cause, detail)
