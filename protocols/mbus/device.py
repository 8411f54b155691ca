"""One meter, polled: by its primary address, or selected by its secondary address first.

    primary     (SND_NKE → E5)  REQ_UD2 → telegram  REQ_UD2 → telegram …
    secondary   selection → E5  REQ_UD2 → telegram …                    all of it to address 253

A meter whose data do not fit one frame says in each telegram that there is another (DIF 1F), and sends it
for the next request with the other frame count bit; with the same bit, as in a retry, it sends the last one
again. A telegram with the records of an earlier one is that one again: some meters always say 1F.

SND_NKE sets a meter to its first telegram, and the bit to what comes first. It is sent where the meter may be
anywhere: at first, after silence, and after a poll that had all it wanted before the last telegram. A
selection sets the bit alone, so a selected meter that may be anywhere is selected, set (which ends its
selection) and selected again. If that SND_NKE is left unanswered, the poll goes on; if anything else is, it
is over, and what was read by then is its result.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Final

from protocols.dialogue import Dialogue, LineSettings, PollResult, Request, Values
from protocols.errors import DeviceRefusal
from protocols.framing import Frame
from protocols.mbus import application, link, secondary
from protocols.mbus.application import Telegram
from protocols.mbus.items import Item, named, values
from protocols.mbus.link import Message, StreamFramer
from protocols.mbus.secondary import Secondary
from protocols.mbus.settings import MeterSettings

MAX_TELEGRAMS: Final = 64  # a meter that always has one more is not read for ever
_SHOWN: Final = 12  # names in a refusal

Step = Generator[Request, Frame | None, bool]


class Meter:
    """The meter that serves sensors with these settings, which name one address."""

    def __init__(self, sensors: Sequence[MeterSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)
        self._secondary = sensors[0].secondary
        self._a = link.SELECTED if sensors[0].address is None else sensors[0].address
        self._fcb = link.FCB  # of the next request
        self._is_at_start = False  # the next new telegram is its first
        self._lengths = [link.length(application.HEADER_LENGTH)]  # of its telegrams, as far as known

    @property
    def address(self) -> str:
        """Its primary or secondary address."""
        return self._sensors[0].station

    def planned(self) -> list[Request]:
        """The requests of the next poll, should each be answered."""
        before = [] if self._is_at_start else [self._reset()]
        if self._secondary:
            selection = [self._select(self._secondary)]
            before = [*selection, *before, *selection] if before else selection
        return before + [self._ask(number) for number in range(len(self._lengths))]

    def poll(self) -> Dialogue:
        """Starts one poll."""
        items: list[Item] = []
        refusals: list[DeviceRefusal] = []
        is_complete = False
        if (yield from self._made_ready()):
            is_complete = yield from self._read(items, refusals)
        found = named(items)
        if is_complete:
            refusals += self._missing(found)
        return PollResult(
            values=tuple(_taken(sensor, found) for sensor in self._sensors),
            complete=is_complete and not refusals,
            refusals=tuple(refusals),
        )

    def _made_ready(self) -> Step:
        """Has the meter at its first telegram, selected if it must be; False if it keeps silent."""
        is_at_start, self._is_at_start = self._is_at_start, False
        if not is_at_start or self._secondary:
            self._fcb = link.FCB
        if self._secondary is None:
            return is_at_start or (yield self._reset()) is not None
        if (yield self._select(self._secondary)) is None:
            return False
        if not is_at_start:
            yield self._reset()
            return (yield self._select(self._secondary)) is not None
        return True

    def _read(self, items: list[Item], refusals: list[DeviceRefusal]) -> Step:
        """The items of all telegrams; whether nothing is missing."""
        lengths: list[int] = []
        told: list[list[str]] = []
        for number in range(MAX_TELEGRAMS):
            frame = yield self._ask(number)
            if frame is None:
                return False
            self._fcb ^= link.FCB
            message = link.parse(frame)
            assert message is not None
            telegram = application.read(message)
            if telegram is None or telegram.mode:
                refusals.append(_refusal(message, telegram))
                return False
            names = [item.name for item in telegram.items]
            if names in told:
                break
            told.append(names)
            lengths.append(len(frame.data))
            items += telegram.items
            if telegram.fault:
                refusals.append(DeviceRefusal(telegram.fault, code=0, request="data"))
                return False
            if not telegram.more_follow or self._has_all(items):
                self._is_at_start = not telegram.more_follow
                break
        else:
            return False
        self._lengths = lengths
        return True

    def _has_all(self, items: list[Item]) -> bool:
        """Whether no sensor wants more than this."""
        found = named(items)
        return all(
            sensor.values is not None and found.keys() >= set(sensor.values.values())
            for sensor in self._sensors
        )

    def _missing(self, found: dict[str, Item]) -> list[DeviceRefusal]:
        """What a sensor wants and the meter does not tell."""
        wanted = [name for sensor in self._sensors for name in (sensor.values or {}).values()]
        told = ", ".join(list(found)[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")
        return [
            DeviceRefusal(f"the meter does not tell it; it tells {told or 'nothing'}", code=0, request=name)
            for name in dict.fromkeys(wanted)
            if name not in found
        ]

    def _reset(self) -> Request:
        return self._acknowledged(Message(link.SND_NKE, self._a), "reset")

    def _select(self, address: Secondary) -> Request:
        octets = secondary.build(address)
        return self._acknowledged(Message(link.SND_UD, self._a, application.SELECT, octets), "selection")

    def _acknowledged(self, message: Message, what: str) -> Request:
        return Request(
            data=link.build(message),
            framer=StreamFramer,
            accepts=lambda frame: frame.data == link.ACKNOWLEDGEMENT,
            reply_length=len(link.ACKNOWLEDGEMENT),
            summary=f"meter {self.address}: {what}",
        )

    def _ask(self, number: int) -> Request:
        """Asks for a telegram."""

        def accepts(frame: Frame) -> bool:
            message = link.parse(frame)
            if message is None or not message.is_reply:
                return False
            if self._secondary is None:
                return self._a in (message.a, link.ANY_METER)
            if application.error_of(message) is not None:
                return True  # which tells no address
            told = application.secondary_of(message)
            return told is not None and self._secondary.covers(told)

        return Request(
            data=link.build(Message(link.REQ_UD2 | self._fcb, self._a)),
            framer=StreamFramer,
            accepts=accepts,
            reply_length=self._lengths[min(number, len(self._lengths) - 1)],
            summary=f"meter {self.address}: " + (f"telegram {number + 1}" if number else "data"),
            longest_reply=link.LONGEST,
        )


def _refusal(message: Message, telegram: Telegram | None) -> DeviceRefusal:
    code = application.error_of(message)
    if code is not None:
        return DeviceRefusal(application.error_name(code), code=code, request="data")
    if telegram is not None:
        reason = f"the telegram is encrypted (mode {telegram.mode}); have the meter set to send it plain"
        return DeviceRefusal(reason, code=telegram.mode, request="data")
    code = message.ci or 0
    return DeviceRefusal(f"data of a kind that is not read here (CI {code:02X})", code=code, request="data")


def _taken(sensor: MeterSettings, found: dict[str, Item]) -> Values:
    told = values(found)
    if sensor.values is None:
        return told
    return {ours: told[name] for ours, name in sensor.values.items() if name in told}
