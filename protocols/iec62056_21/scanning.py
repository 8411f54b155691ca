"""How a line is searched for a meter of IEC 62056-21: the opening that every meter answers, /?!, at 300 baud.

The identification names maker and type. The meter is then read as it will be later: its data, with their
checksum, are its second answer, and tell the names of its values. A meter of mode A, whose data stand behind
the identification, is asked twice. Only one meter answers such an opening on a healthy line.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Final

from protocols.iec62056_21 import frame as frames
from protocols.iec62056_21.data import data_sets, readings, values
from protocols.iec62056_21.meter import BREAK_OFF_S, Meter
from protocols.iec62056_21.settings import parse_settings
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, Request
from protocols.toolkit.scanning import Evidence, Find, Heard, Probe, Scanning, Scope, Search

PROTOCOL: Final = "iec62056-21"
_ANY_VALUE: Final = "1.8.0"  # a meter is read as a whole, whatever is chosen
_REPLY_S: Final = 1.6  # §6.5: a meter answers within 1.5 s
_INITIAL: Final = LineSettings(300, 7, "E", 1)
_FIXED: Final = LineSettings(9600, 7, "E", 1)  # of meters on RS-485 that stay with one rate
_MOST_VALUES: Final = 12

Dialogue = Generator[Probe | Find, Heard, list[Frame]]


def search(scope: Scope) -> Search:
    """Search a line with the settings of a scope."""
    replies = yield from _read(_meter(scope.line))
    if not replies:
        return
    first = frames.identification(replies[0].data)
    assert first is not None, "accepted frames have an identification"
    is_claimed = len(replies) > 1
    if not is_claimed:
        (opening, *_) = _meter(scope.line).planned()
        heard = yield _probe(replace(opening, pause_s=BREAK_OFF_S))
        is_claimed = heard.frame is not None and frames.identification(heard.frame.data) == first
    names = list(values(readings(list(data_sets(frames.data_of(replies[-1].data))))))
    yield Find(
        protocol=PROTOCOL,
        address="",
        evidence=Evidence.IDENTIFIED if is_claimed else Evidence.ANSWERS,
        confidence=1.0 if is_claimed else None,
        reasons=(
            f"it names itself {first.manufacturer} {first.text}"
            + ("" if is_claimed else ", and did so once of two times"),
        ),
        keys={"values": names[:_MOST_VALUES]} if names else {},
        identity={"maker": first.manufacturer.upper(), "type": first.text},
    )


def _read(meter: Meter) -> Dialogue:
    """Read a meter out; return its replies, the identification first."""
    poll = meter.poll()
    request = next(poll)
    replies: list[Frame] = []
    while True:
        heard = yield _probe(request)
        if heard.frame is None and not heard.is_silent and not replies:  # damaged
            heard = yield _probe(replace(request, pause_s=BREAK_OFF_S))
        replies += [heard.frame] if heard.frame else []
        try:
            request = poll.send(heard.frame)
        except StopIteration:
            return replies


def _meter(line: LineSettings) -> Meter:
    return Meter([parse_settings({"values": [_ANY_VALUE]})], line)


def _probe(request: Request) -> Probe:
    return Probe(request, "", _REPLY_S)


SCANNING: Final = Scanning(
    lines=(_INITIAL, _FIXED),
    search=search,
    reply_within_s=_REPLY_S,
    has_own_line=True,
)
