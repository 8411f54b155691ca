"""Meters that a foreign master asks, listened to.

A telegram tells its sender: the primary address in A, and in most telegrams the secondary address. So a
sensor is found by either, however its master calls it; a telegram without a secondary address (CI 78, 7A) is
none of a sensor that is configured by its `id`.

It does not tell its place among the telegrams of one reading, and the names of values depend on that: the
second of two like records is `energy_2`. A reading is taken whole and from its first telegram, which is

    the one after SND_NKE and its E5 (selected: with the same selection before and behind, and their E5)
    the one after a last telegram (without DIF 1F), if the frame count bit is another one

and every telegram of it must be asked with the other bit than the one before. Noise, a telegram that is not
there and one that may be a late one end the reading. A meter whose reading was seen to be one telegram, or
that sent eight in a row and never said that more follow, has readings of one telegram: each is whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from protocols.mbus import application, link, secondary
from protocols.mbus.device import MAX_TELEGRAMS, values_of
from protocols.mbus.items import Item, named
from protocols.mbus.link import Message
from protocols.mbus.secondary import Secondary
from protocols.mbus.settings import MeterSettings
from protocols.toolkit.exchanges import Asked, ExchangeOverhearer
from protocols.toolkit.framing import Frame
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.pairing import REPLY_WITHIN_S
from protocols.toolkit.protocol import Fields

_SINGLE_AFTER: Final = 8
_MOST_METERS: Final = 1024
_CONFIRMED: Final = "confirmed"  # the kind of requests that E5 answers

_Called = Hashable  # by what a meter is called: its primary address, or the octets of a selection


@dataclass(slots=True)
class _Reading:
    """Where a meter is among its telegrams.

    Attributes:
        items: those of the telegrams so far; None: it is not known which telegram is next.
        bit: the frame count bit that was answered last; None: none since the meter was reset.
        is_over: the last telegram was answered.
        is_owed: a telegram was asked for and did not come yet.
        is_single: its reading is one telegram.
        singles: how many telegrams in a row said that none follow.
        names: the names of the values in each telegram so far.
        sender: the meter that answered, by both of its addresses.
    """

    items: list[Item] | None = None
    bit: int | None = None
    is_over: bool = False
    is_owed: bool = False
    is_single: bool = False
    singles: int = 0
    names: list[list[str]] = field(default_factory=list)
    sender: tuple[int, Secondary | None] | None = None

    def lose(self) -> None:
        """Forget which telegram is next."""
        self.items, self.is_over = None, False

    def begin(self) -> None:
        """Note that the next telegram is the first one."""
        self.items, self.bit, self.is_over, self.names = [], None, False, []


class MeterOverhearer(ExchangeOverhearer):
    """Listens to a line for sensors with these settings; `keys` are those of meters that encrypt."""

    def __init__(self, sensors: Sequence[MeterSettings], keys: Mapping[str, MeterKey] | None = None) -> None:
        super().__init__(
            [dict.fromkeys(sensor.values or (), f"meter {sensor.address}") for sensor in sensors]
        )
        self._sensors = sensors
        self._keys = keys or {}
        self._meters: dict[_Called, _Reading] = {}
        self._selection: bytes | None = None  # which was confirmed
        self._reset_selection: bytes | None = None  # the one before a confirmed SND_NKE
        self._last = b""  # the last request
        self._is_disturbed = False  # since the last request
        self._confirmation_owed_until = 0.0  # an E5 may be one for an earlier request until then
        self._bit = 0  # of the last request for a telegram

    def disturbed(self) -> None:
        """Forget what a broken frame may have changed."""
        self._selection = self._reset_selection = None
        self._is_disturbed = True
        for meter in self._meters.values():
            meter.lose()

    def asked(self, frame: Frame, end_s: float) -> None:
        """Take a request whose last octet came at `end_s`."""
        message = link.parse(frame)
        assert message is not None
        outstanding = self.pairing.outstanding()
        is_repeated = outstanding is not None and frame.data == self._last
        if outstanding is not None and not is_repeated and outstanding.kind == (_CONFIRMED, self._last):
            self._confirmation_owed_until = end_s + REPLY_WITHIN_S
        self._last, self._is_disturbed = frame.data, False
        unit = None if message.a == link.ALL_METERS else message.a
        kind: Hashable = (_CONFIRMED, frame.data)
        data = frame.data
        if message.c & ~link.FCB == link.REQ_UD2 and message.ci is None:
            meter = self._ask(message, is_repeated=is_repeated)
            called = self._name(message.a)
            kind, data = (called, "single"), b""
            if meter is None or not meter.is_single:
                kind, data = (called, "telegram"), self.serial_of(data, is_repeated=is_repeated)
        else:
            self._prepare(message)
        self.pairing.request(Asked(unit, kind, data), end_s)

    def answered(self, frame: Frame, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take a reply; return the values of the reading that it completes."""
        message = link.parse(frame)
        question = self.pairing.outstanding()
        if message is None:
            is_sure = not self._is_disturbed and start_s > self._confirmation_owed_until
            if self.pairing.reply((_CONFIRMED, self._last), start_s) is not None and is_sure:
                self._confirmed()
            return ()
        if question is None or not self._answers(question, message):
            self.pairing.reply(None, start_s)
            return ()
        meter = self._called(question.unit)
        if self.pairing.reply(question.kind, start_s) is None:
            if meter is not None:
                meter.lose()
            return ()
        return self._take(meter, message) if meter is not None else ()

    def _answers(self, question: Asked, message: Message) -> bool:
        """Return whether a telegram is one of the meter that was asked."""
        if not message.is_reply or question.kind == (_CONFIRMED, self._last):
            return False
        if question.unit == link.SELECTED and self._selection is not None:
            sender = application.secondary_of(message)
            return sender is not None and secondary.parse(self._selection).covers(sender)
        return question.unit in (message.a, link.SELECTED, link.ANY_METER)

    def _name(self, a: Hashable) -> _Called | None:
        """Return by what the meter is called that is asked at this address; None if that is not known."""
        return self._selection if a == link.SELECTED else a

    def _called(self, a: Hashable) -> _Reading | None:
        """Return where the meter is that is called by this address; None if it is not known which one."""
        called = self._name(a)
        if called is None:
            return None
        if called not in self._meters and len(self._meters) >= _MOST_METERS:
            self._meters.clear()
        return self._meters.setdefault(called, _Reading())

    def _ask(self, message: Message, *, is_repeated: bool) -> _Reading | None:
        """Note a request for a telegram; return where its meter is."""
        self._bit = message.c & link.FCB
        meter = self._called(message.a)
        if meter is None:
            return None
        if meter.is_owed and not is_repeated:
            meter.lose()
        if message.a == link.SELECTED and self._reset_selection == self._selection and not meter.is_owed:
            meter.begin()
        self._reset_selection = None
        meter.is_owed = True
        return meter

    def _prepare(self, message: Message) -> None:
        """Note a request that changes which telegram is next, or who is selected."""
        if message.a == link.SELECTED and message.ci == application.SELECT:
            self._selection = None
            return
        is_for_any = message.a in (link.ANY_METER, link.ALL_METERS)
        for called, meter in self._meters.items():
            is_sender = meter.sender is not None and meter.sender[0] == message.a
            is_selected = message.a == link.SELECTED and called == self._selection
            if is_for_any or called == message.a or is_sender or is_selected:
                meter.lose()
                meter.is_owed = False
        if is_for_any:
            self._selection = self._reset_selection = None

    def _confirmed(self) -> None:
        """Note that a meter did what the last request says."""
        (frame,) = link.StreamFramer().feed(self._last)
        assert isinstance(frame, Frame)
        message = link.parse(frame)
        assert message is not None
        if message.ci == application.SELECT:
            self._selection = message.data
        elif message.c == link.SND_NKE and message.a == link.SELECTED:
            self._reset_selection, self._selection = self._selection, None
        elif message.c == link.SND_NKE and (meter := self._called(message.a)) is not None:
            meter.begin()

    def _take(self, meter: _Reading, message: Message) -> Sequence[Overheard]:
        """Add a telegram to the reading; return the values if it was the last one."""
        meter.is_owed = False
        meter.sender = message.a, application.secondary_of(message)
        for other in self._meters.values():
            if other is not meter and other.sender == meter.sender:  # it is called in two ways
                other.lose()
        sensors = [index for index, sensor in enumerate(self._sensors) if _is_of(message, sensor)]
        key = next((self._keys.get(self._sensors[index].address) for index in sensors), None)
        telegram = application.read(message, key)
        if telegram is None or telegram.mode or telegram.fault:
            meter.lose()
            return ()
        items = list(telegram.items)
        if telegram.more_follow:
            meter.is_single, meter.singles = False, 0
        else:
            meter.singles += 1
            meter.is_single |= meter.singles >= _SINGLE_AFTER
        last_bit, meter.bit = meter.bit, self._bit
        if not meter.is_single:
            if meter.is_over and last_bit != self._bit:
                meter.begin()
                meter.bit = self._bit
            elif meter.items is None or last_bit == self._bit:  # which telegram this is is not known
                meter.is_over = not telegram.more_follow
                meter.items = None if meter.is_over else meter.items
                return ()
            assert meter.items is not None
            names = [each.name for each in items]
            is_first_again = names in meter.names
            is_first = not meter.names
            meter.names.append(names)
            if not is_first_again:
                meter.items += items
            if len(meter.names) > MAX_TELEGRAMS:
                meter.lose()
                return ()
            if telegram.more_follow and not is_first_again:
                return ()
            meter.is_single = is_first and not telegram.more_follow
            items, meter.items, meter.is_over = meter.items, None, not telegram.more_follow
        return self._values(sensors, named(items))

    def _values(self, sensors: Sequence[int], items_by_name: dict[str, Item]) -> list[Overheard]:
        return [
            overheard
            for index in sensors
            for overheard in self.bring(index, values_of(self._sensors[index], items_by_name))
        ]


def _is_of(message: Message, sensor: MeterSettings) -> bool:
    """Return whether a telegram is from the meter of a sensor."""
    if sensor.secondary is None:
        return sensor.primary in (message.a, link.ANY_METER)
    sender = application.secondary_of(message)
    return sender is not None and sensor.secondary.covers(sender)


def candidates(heard: Sequence[Fields]) -> list[dict[str, object]]:
    """Return the keys of the meters that answered: by the address, or by the id where one was selected."""
    is_selected = any(fields.get("a") == link.SELECTED for fields in heard)
    keys_of_meters: dict[object, dict[str, object]] = {}
    for fields in heard:
        if fields.get("function") != "RSP_UD" or "id" not in fields:
            continue
        keys = {"id": fields["id"]} if is_selected else {"address": fields["a"]}
        keys_of_meters[next(iter(keys.values()))] = keys
    return list(keys_of_meters.values())
