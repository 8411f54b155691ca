"""A declared sensor that answers: the other side of the line, for tests and for practice.

It builds its replies with the layout that the parser parses with.
"""

from __future__ import annotations

from typing import Any

from protocols.declared.sensor import Declared
from protocols.toolkit.framing import Frame
from protocols.toolkit.search import SearchFramer
from protocols.toolkit.simulation import Address, Dialect


class SimulatedSensor:
    """A simulated sensor of a declaration.

    Attributes:
        address: the id of the sensor, "" if it has none.
        raws: the raw content of all fields of its frame but the id, unscaled.
    """

    def __init__(self, declarations: Declared, address: str = "", **raws: Any) -> None:
        self.address = address
        self.raws = raws
        self._declared = declarations

    def answer(self, request: Frame) -> bytes | None:
        """Return the reply to a request; None if it is for another sensor."""
        if _address(self._declared, request) != self.address:
            return None
        return _reply(self._declared, self.address, self.raws)


def dialect(declarations: Declared) -> Dialect:
    """Return the dialect of a declaration with a request; it has no refusal, so a refusal is silence."""
    assert declarations.request is not None
    request_shape = declarations.request.shape

    def damaged(reply: bytes) -> bytes:
        check = declarations.frame.declared.check
        at = check.at if check else 0
        return reply[:at] + bytes((reply[at] ^ 0xFF,)) + reply[at:][1:]

    def misaddressed(reply: Frame) -> bytes:
        """Return the reply with another id; where frames carry no id, return it as it is."""
        field = declarations.frame.declared.id
        raws = declarations.frame.parse(reply.data)
        other_id = "1" if field and declarations.frame.sender(raws) != "1" else "2"
        return _reply(declarations, other_id, raws)

    return Dialect(
        framer=lambda: SearchFramer(request_shape),
        address=lambda frame: _address(declarations, frame),
        concerns=lambda request, address: _address(declarations, request) == address,
        message=lambda frame: frame.data,
        refused=lambda request, code: b"",
        misaddressed=misaddressed,
        damaged=damaged,
    )


def _address(declarations: Declared, frame: Frame) -> Address:
    """Return the id in a request, or in a frame from a sensor."""
    assert declarations.request is not None
    is_request = declarations.request.shape.head.match(frame.data)
    side = declarations.request if is_request else declarations.frame
    return side.sender(side.parse(frame.data)) or ""


def _reply(declarations: Declared, address: str, raws: dict[str, Any]) -> bytes:
    field = declarations.frame.declared.id
    id_field = {field.name: field.type.write(address)} if field else {}
    return declarations.frame.build({**raws, **id_field})
