"""The words of other programs for a register: `register`, `function`, `data_type`, `scale`, `word_order`.

    voltage = { function = 4, register = 12, data_type = "FLOAT", scale = 0.1 }

Several words together may say one thing: function and register are `input = 12`. What is told is the key to
write and its value, so that an installer can type it over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from protocols.modbus.registers import TYPES
from protocols.toolkit.keys import shown

Entry = Mapping[str, Any]
_Advice = Callable[[Any, Entry], str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _same(*pairs: tuple[str, str]) -> dict[str, str]:
    """Return the meaning of each of several words, from a meaning and its words in one text."""
    return {word: meaning for meaning, words in pairs for word in words.split()}


_PLACES: Final = _words(
    "register reg address addr start startaddress index number registeraddress registernumber registerno "
    "objectaddress"
)
_FUNCTIONS: Final = _words(
    "function functioncode fc fn func registertype regtype inputtype objecttype area kind table registerkind "
    "readfunction readfunctioncode memory"
)
_TABLES: Final = _same(
    ("coil", "1 0x co coil"),
    ("discrete", "2 1x di discrete"),
    ("holding", "3 4x hr holding"),
    ("input", "4 3x ir input analog"),
)
_WRITING_FUNCTIONS: Final = _words("5 6 15 16 05 06")
_OF_DIGIT: Final = {"3": "input", "4": "holding"}
_LEAST_REFERENCE: Final = 10000
_NUMBER: Final = re.compile("[0-9]{1,6}|0[xX][0-9A-Fa-f]{1,4}")
_TYPES: Final = _same(
    ("uint16", "u16 uint word ushort unsigned ui16 unsigned16 16uint"),
    ("int16", "s16 i16 int short signed si16 sint16 integer signed16 16int"),
    ("uint32", "u32 dword ulong ui32 unsigned32 udint 32uint"),
    ("int32", "s32 i32 long dint si32 sint32 signed32 32int"),
    ("uint64", "u64 qword ulonglong ui64 unsigned64 ulint 64uint"),
    ("int64", "s64 i64 longlong si64 sint64 signed64 lint 64int"),
    ("float32", "float f32 real single ieee754 floatingpoint 32float"),
    ("float64", "double f64 lreal 64float"),
    ("uint8", "u8 byte uchar usint"),
    ("int8", "s8 i8 char sint"),
    ("bcd16", "bcd"),
    ("string:8", "string str ascii text"),
)
_TYPE_AND_ORDER: Final = re.compile(
    "([a-z]+[0-9]{2}|float|u?int|real|word)[-_ ](abcd|cdab|badc|dcba|be|le|big|little)"
)
_TYPE_KEYS: Final = _words("datatype dtype format vartype valuetype")
_ORDER_KEYS: Final = _words("byteorder wordorder endian endianness endianess swap wordswap byteswap")
_ORDERS: Final = _same(
    ("ABCD", "abcd big be bigendian msb 1234 none 0123 highfirst"),
    ("CDAB", "cdab wordswap 3412 bigswap midbig lowfirst word swapword"),
    ("BADC", "badc byteswap 2143 byte littleswap midlittle swapbyte"),
    ("DCBA", "dcba little le littleendian lsb 4321 both 3210"),
)
_COUNTS: Final = _words("count length size quantity words registercount objectscount numregisters")


def foreign_words(entry: Entry, known_keys: Collection[str]) -> dict[str, str]:
    """Return each key of a register that other programs use, or use in another way, with what to write."""
    advice = {
        key: text for key in entry if key not in known_keys and (text := _of_key(key, entry)) is not None
    }
    return advice | {
        key: text for key in entry if key in known_keys and (text := _of_value(key, entry)) is not None
    }


def says_place(entry: Entry) -> bool:
    """Return whether a register says in other words where it stands."""
    return any(_plain(key) in _PLACES | _FUNCTIONS or _table(key) for key in entry)


def _plain(word: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(word).lower())


def _of_key(key: str, entry: Entry) -> str | None:
    """Return what to write for a key that is not known; None if no other program has it either."""
    word, value = _plain(key), entry[key]
    for words, advice in _ADVICE:
        if word in words:
            return f"unknown key; {advice(value, entry)}"
    table = _table(key)
    if table in _OF_DIGIT.values() and isinstance(value, int) and _is_reference(value, table):
        return f"unknown key; write modicon = {value}"
    return f"unknown key; write {table} = {shown(value)}" if table else None


def _of_value(key: str, entry: Entry) -> str | None:
    """Return what to write for a value in another program's words; None if it is none of these."""
    value = entry[key]
    if key == "scale" and isinstance(value, int | float | str) and not isinstance(value, bool):
        fix = f"to scale by it, {_scale(value, entry)}"
        return f"{shown(value)} is not a register that holds a power of ten; {fix}"
    if key == "type" and isinstance(value, str):
        return _other_type(value, entry)
    if key == "order" and _ORDERS.get(_plain(value), value) != value:
        return f"{shown(value)} is not an order here, {_order(value, entry)}"
    if key in ("holding", "input", "coil", "discrete") and isinstance(value, str):
        return _quoted_place(key, value)
    if key == "modicon" and isinstance(value, int) and not isinstance(value, bool):
        return _bare_reference(value) if 0 <= value < _LEAST_REFERENCE else None
    return None


def _other_type(value: str, entry: Entry) -> str | None:
    """Return what to write for a type in other words, with its order; None if it is none of these."""
    if _plain(value) in ("bool", "boolean", "bit"):
        fix = "leave it out" if {"coil", "discrete"} & set(entry) else "write bit = 0 (the lowest) instead"
        return f"{shown(value)} is not a type here, {fix}"
    if parts := _TYPE_AND_ORDER.fullmatch(value.lower()):
        name, order = _TYPES.get(parts[1], parts[1]), _ORDERS[parts[2]]
        suffix = "" if order == "ABCD" else f', order = "{order}"'
        return f'{shown(value)} is not a type here, write type = "{name}"{suffix}'
    if _plain(value) in _TYPES or value != value.lower() in TYPES:
        return f"{shown(value)} is not a type here, {_type(value, entry)}"
    return None


def _bare_reference(number: int) -> str:
    return (
        f"{number} does not say which table: write modicon = {40000 + number} for the manual's holding "
        f'register {number}, {30000 + number} for its input register, "{number:05d}" for its coil; where the '
        f"manual counts from 0, holding = {number} or input = {number}"
    )


def _quoted_place(key: str, value: str) -> str | None:
    if re.fullmatch("[0-9]{1,5}|0[xX][0-9A-Fa-f]{1,4}", value) is None:
        return None
    number = value if value[:2] in ("0x", "0X") else int(value)
    return f"{shown(value)} is a text, write it without quotes: {key} = {number}"


def _place(_: object, entry: Entry) -> str:
    """Return where a register stands, from all words of the entry that tell of it."""
    number = next((value for key, value in entry.items() if _plain(key) in _PLACES), None)
    function = next((value for key, value in entry.items() if _plain(key) in _FUNCTIONS), None)
    if isinstance(number, str) and _NUMBER.fullmatch(number):
        number = int(number, 16 if number[1:2] in "xX" and number[1:] else 10)
    table = _table(function)
    if _plain(function) in _WRITING_FUNCTIONS:
        return "this is a function that writes, and the bridge only reads: write holding = … or coil = …"
    if not isinstance(number, int):
        return f"the table is the key of the address, for example {table or 'holding'} = 0"
    if _is_reference(number, table):
        return f"write modicon = {number}"
    if table is None:
        return f"write holding = {number} or input = {number}, whichever the manual says"
    return f"write {table} = {number}"


def _is_reference(number: int, table: str | None) -> bool:
    """Return whether a number is one of the manual's notation, for that table if it is known."""
    table_of_digit = _OF_DIGIT.get(str(number)[0])
    return number > _LEAST_REFERENCE and table_of_digit is not None and table in (None, table_of_digit)


def _table(function: object) -> str | None:
    """Return the table that a function code or a word for it names."""
    if function is None:
        return None
    word = _plain(function).removeprefix("read").removeprefix("fc")
    word = str(int(word, 16)) if re.fullmatch("0x[0-9a-f]+|0[0-9a-f]", word) else word
    return _TABLES.get(word) or next((key for key in _TABLES.values() if word.startswith(key)), None)


def _type(value: object, entry: Entry) -> str:
    count = next((number for key, number in entry.items() if _plain(key) in _COUNTS), None)
    name = _TYPES.get(_plain(value), str(value).lower())
    if name.startswith("string") and isinstance(count, int):
        name = f"string:{2 * count}"
    return f'write type = "{name}"'


def _scale(value: object, entry: Entry) -> str:
    return f"write multiply = {str(value).replace(',', '.')}"


def _divide(value: object, entry: Entry) -> str:
    return f"write divide = {str(value).replace(',', '.')}"


def _decimals(value: object, entry: Entry) -> str:
    return f"write divide = {10**value}" if isinstance(value, int) and 0 < value < 10 else "write divide = 10"


def _order(value: object, entry: Entry) -> str:
    """Return the order that the words of an entry say together: one for words, one for octets."""
    words = {_plain(key): _plain(text) for key, text in entry.items() if _plain(key) in _ORDER_KEYS}
    if len(words) == 1 and value is True:
        return f'write order = "{"BADC" if "byteswap" in words else "CDAB"}"'
    if set(words) >= {"wordorder", "byteorder"}:
        is_word, is_byte = (_ORDERS.get(words[key]) == "DCBA" for key in ("wordorder", "byteorder"))
        order = ("DCBA" if is_word else "BADC") if is_byte else ("CDAB" if is_word else "ABCD")
        return f'write order = "{order}"'
    if "wordorder" in words and _ORDERS.get(_plain(value)) == "DCBA":
        return 'write order = "CDAB"'
    return f'write order = "{_ORDERS.get(_plain(value), "CDAB")}"'


def _count(value: object, entry: Entry) -> str:
    if "type" in entry or any(_plain(key) in _TYPE_KEYS for key in entry):
        return "the type says how many registers it takes: leave this out"
    types = {1: '"uint16"', 2: '"uint32" or "float32"', 4: '"uint64" or "float64"'}
    kind = types.get(value, '"string:N"') if isinstance(value, int) else '"uint32"'
    return f"the type says how many registers it takes: write type = {kind}"


def _signed(value: object, entry: Entry) -> str:
    return f'write type = "{"int16" if value in (True, 1, "true") else "uint16"}"'


def _say(sentence: str) -> _Advice:
    return lambda value, entry: sentence


_ADVICE: Final[tuple[tuple[Collection[str], _Advice], ...]] = (
    (_PLACES | _FUNCTIONS, _place),
    (_TYPE_KEYS, _type),
    (_words("scale factor gain multiplier coefficient ratio resolution scaling"), _scale),
    (_words("divisor div divider scaledown"), _divide),
    (_words("decimals precision digits decimalplaces decimal"), _decimals),
    (_ORDER_KEYS, _order),
    (
        _words("units uom unitofmeasurement measure dimension"),
        lambda value, _: f"write unit = {shown(value)}",
    ),
    (_COUNTS, _count),
    (_words("signed issigned"), _signed),
    (_words("minimum low lowerbound minvalue"), lambda value, _: f"write min = {value}"),
    (_words("maximum high upperbound maxvalue"), lambda value, _: f"write max = {value}"),
    (_words("nan nanvalue invalidvalue null missing"), lambda value, _: f"write invalid = {value}"),
    (_words("values map mapping options states lookup"), _say('write enum = { 0 = "off", 1 = "on" }')),
    (_words("bitmask bits"), _say("write mask = 0x00FF, or bit = 0 for a single one")),
    (
        _words("name label id tag key alias title"),
        _say("a value's name stands before its table: voltage = { … }"),
    ),
    (_words("description comment note remark desc"), _say("write remarks behind a #")),
    (
        _words("every interval scaninterval poll pollinterval publish deadband"),
        _say("it holds for the whole sensor: write it in the sensor's own block"),
    ),
    (_words("access writable readonly rw write mode"), _say("the bridge only reads: leave it out")),
    (
        _words("slave slaveid unitid unitaddress deviceid node"),
        _say("the sensor's own block has the address: leave it out"),
    ),
)
