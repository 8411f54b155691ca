"""One meter, polled: by its primary address, or selected by its secondary address first.

    primary                     SND_NKE → E5                    REQ_UD2 → telegram  REQ_UD2 → telegram …
    secondary   selection → E5  SND_NKE → E5  selection → E5    REQ_UD2 → telegram …     all to address 253

A meter whose data do not fit one frame says in each telegram that there is another (DIF 1F), and sends it
for the next request with the other frame count bit; with the same bit, as in a retry, it sends the last one
again. A telegram with the records of an earlier one is that one again: some meters always say 1F.

SND_NKE sets a meter to its first telegram, and the bit to what comes first; a selection sets the bit alone,
and SND_NKE ends it. Each poll begins with it, so that nothing about the link has to be known from the last
one. It could not be: sensors of one meter that are read at different times are polled by objects that do not
know of each other, as is a meter called by its address and by its id; a bit that was wrong then would have
the meter repeat a telegram of long ago, which cannot be told from a new one.

A telegram that was lost could come late, and be taken for one of the next poll; a meter answers in turn, so
once it has answered that poll's SND_NKE, no such telegram can come any more.

If SND_NKE is left unanswered, the meter may be anywhere: it is read to its last telegram, and what that
brings is discarded; the next telegram is its first one, and new. If anything else is left unanswered, the
poll is over, and what was read by then is its result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import cycle
from typing import Final

from protocols.mbus import application, link, secondary
from protocols.mbus.application import Telegram
from protocols.mbus.items import Item, named, values
from protocols.mbus.link import AcknowledgementFramer, Message, StreamFramer
from protocols.mbus.secondary import Secondary
from protocols.mbus.settings import MeterSettings
from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.framing import Frame
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.polling import Dialogue, LineSettings, NotAsked, PollResult, Request, Values

MAX_TELEGRAMS: Final = 64  # a meter that always has one more is not read for ever
_MAX_LISTED: Final = 12  # names in a refusal

Step = Generator[Request, Frame | None, bool]


class Meter:
    """One meter, which serves all sensors whose settings name its address."""

    def __init__(
        self, sensors: Sequence[MeterSettings], line: LineSettings, key: MeterKey | None = None
    ) -> None:
        self._sensors = tuple(sensors)
        self._key = key
        self._secondary = sensors[0].secondary
        self._a = link.SELECTED if sensors[0].primary is None else sensors[0].primary
        self._lengths = [link.length(application.HEADER_LENGTH)]  # of its telegrams, as far as known

    @property
    def address(self) -> str:
        """Return its primary or secondary address."""
        return self._sensors[0].address

    def planned(self) -> list[Request]:
        """Return the requests of the next poll, as they are if each is answered."""
        selection = [self._select(self._secondary)] if self._secondary else []
        bits = _bits()
        data_requests = [self._ask(number, next(bits)) for number in range(len(self._lengths))]
        return [*selection, self._reset(), *selection, *data_requests]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Poll once."""
        bits = _bits()
        items: list[Item] = []
        refusals: list[DeviceRefusal] = []
        is_complete = False
        with suppress(NotAsked):
            if (yield from self._prepare(bits, refusals)):
                is_complete = yield from self._read(bits, items, refusals, self._has_all)
        items_by_name = named(items)
        if is_complete:
            refusals += self._missing(items_by_name)
        reason = "the meter does not tell it" if is_complete else str(refusals[0] if refusals else "no reply")
        missing = tuple(
            {key: reason for key, name in (sensor.values or {}).items() if name not in items_by_name}
            for sensor in self._sensors
        )
        return PollResult(
            values=tuple(values_of(sensor, items_by_name) for sensor in self._sensors),
            complete=is_complete and not refusals,
            refusals=tuple(refusals),
            missing=missing if any(missing) else (),
        )

    def _prepare(self, bits: Iterator[int], refusals: list[DeviceRefusal]) -> Step:
        """Set the meter to its first telegram, selected if need be; return False if that fails."""
        if self._secondary and (yield self._select(self._secondary)) is None:
            return False
        is_set = (yield self._reset()) is not None
        if self._secondary and (yield self._select(self._secondary)) is None:
            return False
        return is_set or (yield from self._read(bits, [], refusals, lambda _: False))

    def _read(
        self,
        bits: Iterator[int],
        items: list[Item],
        refusals: list[DeviceRefusal],
        is_enough: Callable[[list[Item]], bool],
    ) -> Step:
        """Read telegrams until the last one, or until the items are enough.

        Args:
            bits: the frame count bits of the requests.
            items: takes the items of the telegrams.
            refusals: takes the reason, if a telegram could not be read.
            is_enough: returns whether these items are all that is needed.

        Returns:
            Whether nothing is missing.
        """
        lengths: list[int] = []
        names_of_telegrams: list[list[str]] = []
        for number in range(MAX_TELEGRAMS):
            frame = yield self._ask(number, next(bits))
            if frame is None:
                return False
            message = link.parse(frame)
            assert message is not None
            telegram = application.read(message, self._key)
            if telegram is None or telegram.mode:
                refusals.append(_refusal(message, telegram))
                return False
            names = [item.name for item in telegram.items]
            if names in names_of_telegrams:
                break
            names_of_telegrams.append(names)
            lengths.append(len(frame.data))
            items += telegram.items
            if telegram.fault:
                refusals.append(DeviceRefusal(telegram.fault, code=0, request="data"))
                return False
            if not telegram.more_follow or is_enough(items):
                break
        else:
            return False
        self._lengths = lengths
        return True

    def _has_all(self, items: list[Item]) -> bool:
        """Return whether these items are all that the sensors need."""
        items_by_name = named(items)
        return all(
            sensor.values is not None and items_by_name.keys() >= set(sensor.values.values())
            for sensor in self._sensors
        )

    def _missing(self, items_by_name: dict[str, Item]) -> list[DeviceRefusal]:
        """Return a refusal for each value that a sensor needs and the meter does not send."""
        needed_names = [name for sensor in self._sensors for name in (sensor.values or {}).values()]
        listed_names = ", ".join(list(items_by_name)[:_MAX_LISTED]) + (
            " …" if len(items_by_name) > _MAX_LISTED else ""
        )
        return [
            DeviceRefusal(
                f"the meter does not tell it; it tells {listed_names or 'nothing'}", code=0, request=name
            )
            for name in dict.fromkeys(needed_names)
            if name not in items_by_name
        ]

    def _reset(self) -> Request:
        return replace(self._acknowledged_request(Message(link.SND_NKE, self._a), "reset"), clears=True)

    def _select(self, address: Secondary) -> Request:
        octets = secondary.build(address)
        return self._acknowledged_request(
            Message(link.SND_UD, self._a, application.SELECT, octets), "selection"
        )

    def _acknowledged_request(self, message: Message, purpose: str) -> Request:
        return Request(
            data=link.build(message),
            framer=AcknowledgementFramer,
            accepts=lambda frame: frame.data == link.ACKNOWLEDGEMENT,
            reply_length=len(link.ACKNOWLEDGEMENT),
            summary=f"meter {self.address}: {purpose}",
            shape=purpose,  # the replies are alike, but carry no value: confusing them does no harm
        )

    def _ask(self, number: int, bit: int) -> Request:
        """Return the request for a telegram, with this frame count bit."""

        def accepts(frame: Frame) -> bool:
            message = link.parse(frame)
            if message is None or not message.is_reply:
                return False
            if self._secondary is None:
                return self._a in (message.a, link.ANY_METER)
            sender = application.secondary_of(message)
            return sender is None or self._secondary.covers(sender)  # None: it confirmed its selection

        return Request(
            data=link.build(Message(link.REQ_UD2 | bit, self._a)),
            framer=StreamFramer,
            accepts=accepts,
            reply_length=self._lengths[min(number, len(self._lengths) - 1)],
            summary=f"meter {self.address}: " + (f"telegram {number + 1}" if number else "data"),
            longest_reply=link.LONGEST,
            shape="telegram",
        )


def _bits() -> Iterator[int]:
    """Yield the frame count bits of the requests after SND_NKE."""
    return cycle((link.FCB, 0))


def _refusal(message: Message, telegram: Telegram | None) -> DeviceRefusal:
    code = application.error_of(message)
    if code is not None:
        return DeviceRefusal(application.error_name(code), code=code, request="data")
    if telegram is not None:
        reason = telegram.fault or (
            f"the telegram is encrypted (mode {telegram.mode}): write its key under [decryption] in "
            "credentials.toml or decryption.toml, or have the meter set to send it plain"
        )
        return DeviceRefusal(reason, code=telegram.mode, request="data")
    code = message.ci or 0
    return DeviceRefusal(f"data of a kind that is not read here (CI {code:02X})", code=code, request="data")


def values_of(sensor: MeterSettings, items_by_name: dict[str, Item]) -> Values:
    """Return the values that a sensor wants, of those that its meter told."""
    values_by_name = values(items_by_name)
    if sensor.values is None:
        return values_by_name
    return {key: values_by_name[name] for key, name in sensor.values.items() if name in values_by_name}
