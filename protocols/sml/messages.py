"""SML messages: what their lists mean, and the checksum that each has inside the frame's.

    message:     transactionId | groupNo | abortOnError | messageBody | crc16 | endOfSmlMsg
    messageBody: tag | what the tag says
    crc16:       from the message's first octet up to crc16 (`check`)

A meter tells its values unasked: SML_PublicOpen.Res, one or more SML_GetList.Res, SML_PublicClose.Res. Each
list comes from one server, the meter, and each of its entries names a value by its OBIS code:

    objName | status | valTime | unit | scaler | value | valueSignature          value × 10 ** scaler in unit

Quirk: older DZG meters DVS74 send a power of 327.68 to 655.35 W as a signed number of two octets, which reads
as −327.68 to −0.01 W; other DZG meters, with serial numbers of the same range, send negative power that way,
rightly (libsml, issues 59, 105 and 162). A telegram does not tell which of them it is from: it is read as it
stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.sml.check import CHECK_LENGTH, is_right
from protocols.sml.encoding import Element, Reader
from protocols.toolkit.errors import DecodeError
from protocols.toolkit.obis import Code

GET_LIST_RES: Final = 0x0701
ATTENTION_RES: Final = 0xFF01
NAMES: Final[Mapping[int, str]] = {
    0x0100: "SML_PublicOpen.Req",
    0x0101: "SML_PublicOpen.Res",
    0x0200: "SML_PublicClose.Req",
    0x0201: "SML_PublicClose.Res",
    0x0300: "SML_GetProfilePack.Req",
    0x0301: "SML_GetProfilePack.Res",
    0x0400: "SML_GetProfileList.Req",
    0x0401: "SML_GetProfileList.Res",
    0x0500: "SML_GetProcParameter.Req",
    0x0501: "SML_GetProcParameter.Res",
    0x0600: "SML_SetProcParameter.Req",
    0x0700: "SML_GetList.Req",
    GET_LIST_RES: "SML_GetList.Res",
    ATTENTION_RES: "SML_Attention.Res",
}

_MESSAGE_LENGTH = 6
_BODY_LENGTH = 2
_GET_LIST_RES = (
    "clientId",
    "serverId",
    "listName",
    "actSensorTime",
    "valList",
    "listSignature",
    "actGatewayTime",
)
_LIST_ENTRY = ("objName", "status", "valTime", "unit", "scaler", "value", "valueSignature")
_ATTENTION_RES = ("serverId", "attentionNo", "attentionMsg", "attentionDetails")
_UNSIGNED_8, _INTEGER_8, _UNSIGNED_16, _UNSIGNED_32 = (
    range(2**8),
    range(-(2**7), 2**7),
    range(2**16),
    range(2**32),
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a file.

    Attributes:
        tag: the kind of message; `NAMES` has the usual ones.
        body: the content, in the form that the tag means.
        data: the data of its frame.
    """

    tag: int
    body: Element
    data: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list of values.

    Attributes:
        code: the code of the value.
        unit: the DLMS code of its unit; None if it has none.
        scaler: the power of ten it is multiplied with.
        value: the value as sent; None if there is none.
    """

    code: Code
    unit: int | None
    scaler: int
    value: Element


@dataclass(frozen=True, slots=True)
class ValueList:
    """The content of an SML_GetList.Res.

    Attributes:
        server_id: the id of the meter.
        entries: the values, in the meter's order.
    """

    server_id: bytes
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Attention:
    """The content of an SML_Attention.Res.

    Attributes:
        server_id: the id of the meter.
        number: the event, as an OBIS code in octets.
        message: the same in words; "" if it has none.
    """

    server_id: bytes
    number: bytes
    message: str


def messages(data: bytes) -> Iterator[Message]:
    """Yield the messages in the data of a frame.

    Raises:
        DecodeError: an element cannot be read, or a message's checksum is wrong.
    """
    reader = Reader(data)
    while not reader.is_at_end:
        start = reader.at
        reader.list_of("SML_Message", _MESSAGE_LENGTH)
        for name in ("transactionId", "groupNo", "abortOnError"):
            reader.element(name)
        reader.list_of("messageBody", _BODY_LENGTH)
        tag, body = reader.element("messageBody"), reader.element("messageBody")
        octets_under_check = data[start : reader.at]
        crc = _Fields({"crc16": reader.element("crc16")}, data).number("crc16", _UNSIGNED_16)
        if not is_right(crc.to_bytes(CHECK_LENGTH, "big"), octets_under_check):
            raise DecodeError("is not that of the message", field="crc16", value=crc, data=data)
        reader.end_of_message()
        yield Message(_Fields({"tag": tag}, data).number("tag", _UNSIGNED_32), body, data)


def value_list(message: Message) -> ValueList:
    """Return the list of values in an SML_GetList.Res.

    Raises:
        DecodeError: it is not of that form.
    """
    fields = _Fields.named(_GET_LIST_RES, message.body, message.data)
    entries = fields["valList"]
    if not isinstance(entries, list):
        raise fields.wrong("valList")
    return ValueList(fields.octets("serverId"), tuple(_entry(entry, message.data) for entry in entries))


def attention(message: Message) -> Attention:
    """Return the event in an SML_Attention.Res.

    Raises:
        DecodeError: it is not of that form.
    """
    fields = _Fields.named(_ATTENTION_RES, message.body, message.data)
    text_octets = fields["attentionMsg"]
    text = text_octets.decode("utf-8", "replace") if isinstance(text_octets, bytes) else ""
    return Attention(fields.octets("serverId"), fields.octets("attentionNo"), text)


def _entry(element: Element, data: bytes) -> Entry:
    fields = _Fields.named(_LIST_ENTRY, element, data)
    name = fields.octets("objName")
    if len(name) != len(Code._fields):
        raise fields.wrong("objName")
    unit = None if fields["unit"] is None else fields.number("unit", _UNSIGNED_8)
    scaler = 0 if fields["scaler"] is None else fields.number("scaler", _INTEGER_8)
    return Entry(Code(*name), unit, scaler, fields["value"])


class _Fields(dict[str, Element]):
    """The elements of a list by their names, with the data of their frame."""

    def __init__(self, elements: Mapping[str, Element], data: bytes) -> None:
        super().__init__(elements)
        self._data = data

    @classmethod
    def named(cls, names: Sequence[str], element: Element, data: bytes) -> _Fields:
        """Return the elements of a list under these names; their numbers must be equal."""
        if not isinstance(element, list) or len(element) != len(names):
            raise cls({names[0]: element}, data).wrong(names[0])
        return cls(dict(zip(names, element, strict=True)), data)

    def octets(self, name: str) -> bytes:
        """Return the octet string of that name."""
        element = self[name]
        if not isinstance(element, bytes):
            raise self.wrong(name)
        return element

    def number(self, name: str, within: range) -> int:
        """Return the number of that name, which must lie in `within`."""
        element = self[name]
        if not isinstance(element, int) or element not in within:
            raise self.wrong(name)
        return element

    def wrong(self, name: str) -> DecodeError:
        """Return the error that the element of that name does not belong there."""
        return DecodeError("does not belong there", field=name, value=self[name], data=self._data)
