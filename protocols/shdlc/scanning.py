"""How a line is searched for SHDLC sensors: who answers the request for its measured values, and how.

    03 with a model's own parameter     values, or "not allowed now": it is that model, measuring or not
                                        "parameter not allowed", "wrong length": it is another one
    D0 with a model's own parameter     its serial number

Nothing is started, stopped or woken: a sensor asleep is not found. A request of each model is asked, and the
sensor must answer as one model alone, twice.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from protocols.shdlc import frame as frames
from protocols.shdlc.frame import Miso, Mosi, StreamFramer
from protocols.shdlc.models import (
    DEVICE_INFORMATION,
    MODELS,
    NO_DATA,
    NOT_ALLOWED,
    READ_MEASURED_VALUES,
    Model,
)
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import LineSettings, Request
from protocols.toolkit.scanning import Evidence, Find, Heard, Probe, Scanning, Scope, Search, numbers_in

PROTOCOL: Final = "shdlc"
_LAST_ADDRESS: Final = 254
_TRIES: Final = 3
_REPLY_S: Final = 0.1  # the datasheets allow 20 ms and 50 ms for some commands
_MOST: Final = 96  # octets of a reply, every one stuffed

Answered = Generator[Probe | Find, Heard, Miso | None]


def search(scope: Scope) -> Search:
    """Search a line with the settings of a scope."""
    for address in scope.addresses or ("0",):
        yield from _ask(int(address), scope)


def addressed(text: str) -> tuple[str, ...]:
    """Return the addresses in a text such as "0-3". Raises ValueError as of `numbers_in`."""
    return numbers_in(text, 0, _LAST_ADDRESS)


def _ask(address: int, scope: Scope) -> Search:
    """Ask an address as each model, and claim the one that it answers as."""
    models = list(MODELS.values())
    if (yield from _exchange(address, READ_MEASURED_VALUES, models[0].read, scope)) is None:
        return
    fitting_models: list[Model] = []
    for model in models:
        first = yield from _exchange(address, READ_MEASURED_VALUES, model.read, scope)
        second = yield from _exchange(address, READ_MEASURED_VALUES, model.read, scope)
        if first and second and _is_of(model, first) and _is_of(model, second):
            fitting_models.append(model)
    serial = ""
    if len(fitting_models) == 1:
        answer = yield from _exchange(address, DEVICE_INFORMATION, fitting_models[0].serial, scope)
        serial = answer.data.rstrip(b"\0").decode("ascii", "replace") if answer and not answer.error else ""
    yield _find(address, fitting_models, serial)


def _exchange(address: int, command: int, data: bytes, scope: Scope) -> Answered:
    """Ask once more where octets were heard that make no reply; None: no reply."""
    request = _request(address, command, data)
    for _ in range(_TRIES):
        heard = yield Probe(request, str(address), max(_REPLY_S, scope.reply_within_s))
        if heard.frame is not None:
            return frames.reply(heard.frame)
        if heard.is_silent:
            return None
    return None


def _is_of(model: Model, answer: Miso) -> bool:
    """Return whether the answer to a model's own request is that model's."""
    if answer.error:
        return answer.error in (NO_DATA, NOT_ALLOWED)
    return not answer.data or model.values(answer.data) is not None


def _find(address: int, models: list[Model], serial: str) -> Find:
    name = models[0].name if len(models) == 1 else None
    keys: dict[str, object] = {"model": name} if name else {}
    keys |= {"address": address} if address else {}
    return Find(
        protocol=PROTOCOL,
        address=str(address),
        evidence=Evidence.IDENTIFIED if name else Evidence.ANSWERS,
        model=name,
        confidence=1.0 if name else None,
        reasons=(
            (f"it answered the request of an {name} twice, and no other model's",)
            if name
            else ("it answers, and no model's request tells it from the others",)
        ),
        rivals=() if name else tuple((model.name, 0.5) for model in models[:3]),
        keys=keys,
        identity={"serial": serial} if serial else {},
    )


def _request(address: int, command: int, data: bytes) -> Request:
    message = Mosi(address, command, data)

    def accepts(frame: Frame) -> bool:
        answer = frames.reply(frame)
        if answer is None or frame.direction is Direction.REQUEST:
            return False
        return (answer.address, answer.command) == (address, command)

    encoded = frames.build(message)
    return Request(
        data=encoded,
        framer=StreamFramer,
        accepts=accepts,
        reply_length=len(encoded) + 1,
        summary=f"address {address}: command {command:02X}",
        longest_reply=_MOST,
    )


SCANNING: Final = Scanning(
    lines=(LineSettings(115200, 8, "N", 1),),
    search=search,
    reply_within_s=_REPLY_S,
    addressed=addressed,
    has_own_line=True,
)
