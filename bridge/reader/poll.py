"""One poll of a device over a line: its dialogue is driven to the end, whatever happens on the way.

The reader and `try` share this. What a poll brought stands in its outcome even if the port was lost or the
task cancelled in the middle: the dialogue is then told that no more answers come, and ends with what it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bridge.errors import NoReply, PortLost
from bridge.line import Line, Reply
from protocols.dialogue import Device, PollResult, Request
from protocols.errors import ProtocolError

Ask = Callable[[Request], Awaitable[Reply | None]]

PUT_OFF_PAUSE_S = 0.1  # before a busy device is asked again


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a poll went.

    Attributes:
        result: what it brought, or why that makes no sense.
        exchanges: what was asked, with the reply or None.
        interruption: PortLost or CancelledError that cut it short; to be raised once the result is kept.
    """

    result: PollResult | ProtocolError
    exchanges: tuple[tuple[Request, Reply | None], ...]
    interruption: BaseException | None = None

    @property
    def first(self) -> Reply | None:
        """The first reply, which gives the poll its time; None if the device kept silent."""
        return next((reply for _, reply in self.exchanges if reply is not None), None)

    @property
    def is_missed(self) -> bool:
        """Whether the device kept silent, at once or before it told a value, or that it has none."""
        if self.first is None or isinstance(self.result, ProtocolError):
            return self.first is None
        return not (self.result.complete or self.result.refusals or any(self.result.values))


async def poll(device: Device, ask: Ask) -> Outcome:
    """Polls the device once; `ask` gives the reply to a request, or None if there is none."""
    exchanges: list[tuple[Request, Reply | None]] = []
    interruption: BaseException | None = None
    dialogue = device.poll(asyncio.get_running_loop().time())
    try:
        request = next(dialogue)
        while True:
            reply = None
            if interruption is None:
                try:
                    reply = await ask(request)
                except (PortLost, asyncio.CancelledError) as error:
                    interruption = error
                else:
                    exchanges.append((request, reply))
            request = dialogue.send(reply.frame if reply else None)
    except StopIteration as over:
        return Outcome(over.value, tuple(exchanges), interruption)
    except ProtocolError as error:
        return Outcome(error, tuple(exchanges), interruption)


async def ask_again(
    line: Line, request: Request, address: str, *, reply_timeout_s: float, gap_s: float, retries: int
) -> Reply | None:
    """Return the reply to a request that is tried `1 + retries` times; None to one that is not answered.

    A reply that only puts the request off is returned if no try brings a better one. A pause follows such a
    try, so that a busy device has a chance to get on.

    Raises:
        NoReply: none came, or only damaged ones; that of the last try.
        PortLost: from the line.
    """
    if not request.is_answered:
        await line.send(request, address, gap_s=gap_s)
        return None
    refusal: Reply | None = None
    unanswered: NoReply | None = None
    for _ in range(1 + retries if request.is_repeated else 1):
        pause_s = gap_s if refusal is None else max(gap_s, PUT_OFF_PAUSE_S)
        try:
            reply = await line.exchange(
                request,
                address,
                reply_timeout_s=reply_timeout_s,
                gap_s=pause_s,
                is_retry=unanswered is not None,
            )
        except NoReply as missing:
            unanswered = missing
            continue
        if not request.is_put_off(reply.frame):
            return reply
        refusal, unanswered = reply, None
    if refusal is None:
        assert unanswered is not None, "each try brings a reply or none"
        raise unanswered
    return refusal
