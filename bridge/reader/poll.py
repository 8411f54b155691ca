"""One poll of a device over a line: its dialogue is driven to the end, whatever happens on the way.

The reader and `try` share this. What a poll brought stands in its outcome even if the port was lost or the
task cancelled in the middle: the dialogue is then told that no more answers come, and ends with what it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bridge.errors import Cause, NoReply, PortLost
from bridge.line import Line, Patience, Reply
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Device, Dialogue, NotAsked, PollResult, Request, twin_of

_LONGEST_REPLAY = 1000  # requests of one dialogue

Ask = Callable[[Request], Awaitable[Reply | None]]

PUT_OFF_PAUSE_S = 0.1  # before a busy device is asked again


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a poll went.

    Attributes:
        result: what it brought, or why that makes no sense.
        exchanges: what was asked, with the reply or None.
        interruption: PortLost or CancelledError that cut it short; to be raised once the result is kept.
        again: begins the same poll on a device that knows what the polled one knew then; None: nobody can.
    """

    result: PollResult | ProtocolError
    exchanges: tuple[tuple[Request, Reply | None], ...]
    interruption: BaseException | None = None
    again: Callable[[], Dialogue] | None = None

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
    """Poll the device once; `ask` gives the reply to a request, or None if there is none."""
    before, now = twin_of(device), asyncio.get_running_loop().time()
    outcome = await drive(device.poll(now), ask)
    return replace(outcome, again=lambda: twin_of(before).poll(now))


async def drive(dialogue: Dialogue, ask: Ask) -> Outcome:
    """Drive one dialogue to its end; `ask` as for `poll`, or it raises NotAsked."""
    exchanges: list[tuple[Request, Reply | None]] = []
    interruption: BaseException | None = None
    try:
        request = next(dialogue)
        while True:
            reply, was_asked = None, interruption is None
            if was_asked:
                try:
                    reply = await ask(request)
                    exchanges.append((request, reply))
                except (PortLost, asyncio.CancelledError) as error:
                    interruption, was_asked = error, False
                except NotAsked:
                    was_asked = False
            if was_asked or request.shape is None:
                request = dialogue.send(reply.frame if reply else None)
            else:
                request = dialogue.throw(NotAsked())
    except StopIteration as over:
        return Outcome(over.value, tuple(exchanges), interruption)
    except ProtocolError as error:
        return Outcome(error, tuple(exchanges), interruption)


def replay(outcome: Outcome, request: Request, frame: Frame) -> PollResult | None:
    """Return what a poll that is over would have brought, had `request` been answered with `frame`.

    Args:
        outcome: of that poll.
        request: what was left unanswered in it.
        frame: the reply that came late.

    Returns:
        None if the reply makes no sense, or nobody can tell.
    """
    if outcome.again is None:
        return None
    replies = {asked.data: reply.frame if reply else None for asked, reply in outcome.exchanges}
    replies[request.data] = frame
    dialogue = outcome.again()
    is_used = False
    try:
        asked = next(dialogue)
        for _ in range(_LONGEST_REPLAY):
            is_used |= asked.data == request.data
            was_asked = asked.data in replies or asked.shape is None
            asked = dialogue.send(replies.get(asked.data)) if was_asked else dialogue.throw(NotAsked())
    except StopIteration as over:
        result: PollResult = over.value
        return result if is_used else None
    except ProtocolError:
        pass
    return None


async def ask_again(
    line: Line,
    request: Request,
    address: str,
    *,
    reply_timeout_s: float,
    gap_s: float,
    tries: Sequence[Patience],
) -> Reply | None:
    """Return the reply to a request that is tried once for each of `tries`; None to one that is not answered.

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
    is_repeated = request.is_repeated or tries[0] is Patience.WAKE
    for patience in tries if is_repeated else tries[-1:]:
        pause_s = gap_s if refusal is None else max(gap_s, PUT_OFF_PAUSE_S)
        try:
            reply = await line.exchange(
                request,
                address,
                reply_timeout_s=reply_timeout_s,
                gap_s=pause_s,
                is_retry=unanswered is not None,
                patience=patience,
            )
        except NoReply as missing:
            unanswered = missing
            if missing.cause is Cause.HELD:
                break
            continue
        if not request.is_put_off(reply.frame):
            return reply
        refusal, unanswered = reply, None
    if refusal is None:
        assert unanswered is not None, "each try brings a reply or none"
        raise unanswered
    return refusal
