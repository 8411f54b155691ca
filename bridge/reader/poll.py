"""One poll of a device over a line: its dialogue is driven to the end, whatever happens meanwhile.

The reader and `try` share this. The outcome has the values of a poll even if the port was lost or the task
cancelled in the middle: the dialogue then learns that no more answers come, and ends with what it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bridge.causes import Cause
from bridge.errors import NoReply, PortLost
from bridge.line import Line, Patience, Reply
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Device, Dialogue, NotAsked, PollResult, Request, twin_of

_LONGEST_REPLAY = 1000  # requests of one dialogue

Ask = Callable[[Request], Awaitable[Reply | None]]

PUT_OFF_PAUSE_S = 0.1  # before a busy device is asked again


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one poll.

    Attributes:
        result: the values, or why the answer makes no sense.
        exchanges: each request with its reply, or None without one.
        interruption: PortLost or CancelledError that cut the poll short; raise it once the result is kept.
        again: begins the same poll on a device that knows what the polled one knew then; None if impossible.
    """

    result: PollResult | ProtocolError
    exchanges: tuple[tuple[Request, Reply | None], ...]
    interruption: BaseException | None = None
    again: Callable[[], Dialogue] | None = None

    @property
    def first(self) -> Reply | None:
        """Return the first reply, which gives the poll its time; None if the device kept silent."""
        return next((reply for _, reply in self.exchanges if reply is not None), None)

    @property
    def is_missed(self) -> bool:
        """Return whether the device fell silent before it gave a value or refused one."""
        if self.first is None or isinstance(self.result, ProtocolError):
            return self.first is None
        return not (self.result.complete or self.result.refusals or any(self.result.values))


async def poll(device: Device, ask: Ask) -> Outcome:
    """Poll the device once and return the outcome.

    Args:
        device: the device.
        ask: returns the reply to a request, or None if there is none.
    """
    before, now = twin_of(device), asyncio.get_running_loop().time()
    outcome = await drive(device.poll(now), ask)
    return replace(outcome, again=lambda: twin_of(before).poll(now))


async def drive(dialogue: Dialogue, ask: Ask) -> Outcome:
    """Drive one dialogue to its end and return the outcome; `ask` as for `poll`, or it raises NotAsked."""
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
    """Return the result that a finished poll would have had if `request` had been answered with `frame`.

    Args:
        outcome: of that poll.
        request: the request that was left unanswered in it.
        frame: the late reply.

    Returns:
        None if the reply makes no sense, or the result cannot be known.
    """
    if outcome.again is None:
        return None
    replies = {sent_request.data: reply.frame if reply else None for sent_request, reply in outcome.exchanges}
    replies[request.data] = frame
    dialogue = outcome.again()
    is_used = False
    try:
        next_request = next(dialogue)
        for _ in range(_LONGEST_REPLAY):
            is_used |= next_request.data == request.data
            was_asked = next_request.data in replies or next_request.shape is None
            next_request = (
                dialogue.send(replies.get(next_request.data)) if was_asked else dialogue.throw(NotAsked())
            )
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
    """Return the reply to a request that is sent once for each of `tries`; None if it expects no reply.

    A reply that only defers the request ("busy") is returned if no try brings a better one. A pause follows
    such a try, so that a busy device can finish.

    Raises:
        NoReply: none came, or only damaged ones; that of the last try.
        PortLost: from the line.
    """
    if not request.is_answered:
        await line.send(request, address, gap_s=gap_s)
        return None
    refusal: Reply | None = None
    last_miss: NoReply | None = None
    is_repeated = request.is_repeated or tries[0] is Patience.WAKE
    for patience in tries if is_repeated else tries[-1:]:
        pause_s = gap_s if refusal is None else max(gap_s, PUT_OFF_PAUSE_S)
        try:
            reply = await line.exchange(
                request,
                address,
                reply_timeout_s=reply_timeout_s,
                gap_s=pause_s,
                is_retry=last_miss is not None,
                patience=patience,
            )
        except NoReply as missing:
            last_miss = missing
            if missing.cause is Cause.HELD:
                break
            continue
        if not request.is_put_off(reply.frame):
            return reply
        refusal, last_miss = reply, None
    if refusal is None:
        assert last_miss is not None, "each try brings a reply or none"
        raise last_miss
    return refusal
