"""What ThingsBoard makes of a body. Expectations from its JsonConverterTest and the behaviour of Gson."""

from __future__ import annotations

import json
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.simulator.server.lenient_json import Number, loads
from bridge.simulator.server.telemetry import BadTimestamp, Entry, Malformed, Stored, attributes, telemetry

NOW = 1_700_000_000_000


def value_of(text: str) -> Stored:
    """Return what a value written as `text` is stored as."""
    return telemetry(f'{{"v":{text}}}'.encode(), NOW)[0].values["v"]


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("12", 12),
        ("-0", 0),
        ("1E+1", 10),
        ("1.5e3", 1500),
        ("101E-1", 10.1),
        ("42.0", 42.0),
        ("1.1", 1.1),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", "9223372036854775808"),
        ("9.9701010061400066E19", "99701010061400066000"),
        ("99701010061400066001", "99701010061400066001"),
        ("1E19", "10000000000000000000"),
        ("1.2e+19", "12000000000000000000"),
        ("0.1234567890123456", 0.1234567890123456),
        ("0.30000000000000004", "0.30000000000000004"),
        ("0.10000000149011612", "0.10000000149011612"),
        ("1.2345678901234e-05", "0.000012345678901234"),
        ("1e-17", "0.00000000000000001"),
        ('"123"', 123),
        ('"007"', 7),
        ('"-1.5"', -1.5),
        ('".5"', 0.5),
        ('"1e5"', "1e5"),
        ('"+5"', "+5"),
        ('"1."', "1."),
        ('""', ""),
        ('"on"', "on"),
        ("true", True),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ('{"a":[1.50,null,"x"]}', '{"a":[1.50,null,"x"]}'),
        ("[]", "[]"),
    ],
)
def test_a_value_is_stored_as_thingsboard_stores_it(text: str, stored: Stored) -> None:
    found = value_of(text)
    assert (type(found), found) == (type(stored), stored)


def test_null_is_no_value() -> None:
    assert telemetry(b'{"a":null,"b":1}', NOW) == [Entry(NOW, {"b": 1})]


def test_the_last_of_two_equal_keys_wins() -> None:
    assert telemetry(b'{"a":1,"a":2}', NOW) == [Entry(NOW, {"a": 2})]


def test_forms_may_be_mixed_in_one_array() -> None:
    assert telemetry(b'[{"ts":5,"values":{"a":1}},{"b":2}]', NOW) == [
        Entry(5, {"a": 1}),
        Entry(NOW, {"b": 2}),
    ]


def test_ts_without_values_is_a_key_like_any_other() -> None:
    assert telemetry(b'{"ts":123,"temp":1}', NOW) == [Entry(NOW, {"ts": 123, "temp": 1})]


@pytest.mark.parametrize(
    "body", ["", " ", "1", '"a"', "null", "[1]", "[{},null]", "{", '{"a":1}x', '{"a":1', "[{},]"]
)
def test_what_is_not_telemetry_is_malformed(body: str) -> None:
    with pytest.raises(Malformed):
        telemetry(body.encode(), NOW)


@pytest.mark.parametrize("values", ["null", "1", "[]", '"x"'])
def test_values_must_be_an_object(values: str) -> None:
    with pytest.raises(Malformed):
        telemetry(f'{{"ts":1,"values":{values}}}'.encode(), NOW)


@pytest.mark.parametrize(
    ("ts", "ms"),
    [("123", 123), ('"123"', 123), ("1.9", 1), ("-5", -5), ("1e3", 1000), (str(2**63), -(2**63))],
)
def test_a_ts_is_taken_as_a_long(ts: str, ms: int) -> None:
    assert telemetry(f'{{"ts":{ts},"values":{{"a":1}}}}'.encode(), NOW)[0].ts_ms == ms


@pytest.mark.parametrize("ts", ['"1.5"', '"x"', "true", "null", "{}", '"9223372036854775808"', "NaN"])
def test_a_ts_that_is_no_long_is_an_error_of_the_server(ts: str) -> None:
    with pytest.raises(BadTimestamp):
        telemetry(f'{{"ts":{ts},"values":{{"a":1}}}}'.encode(), NOW)


def test_attributes_are_one_flat_object() -> None:
    assert attributes(b'{"a":1,"b":"x"}') == {"a": 1, "b": "x"}
    with pytest.raises(Malformed):
        attributes(b'[{"a":1}]')


@pytest.mark.parametrize(
    "text",
    [
        "{temperature:25}",
        "{'temperature':25}",
        "{temperature=25}",
        "{temperature=>25}",
        "/* probe 1 */ {temperature: 25 // °C\n}",
        "# probe 1\n{ temperature : 25 }",
    ],
)
def test_lenient_json_passes(text: str) -> None:
    assert loads(text) == {"temperature": "25"}


def test_an_unquoted_word_is_a_string_and_a_literal_is_not() -> None:
    assert loads("{state:on,ok:TRUE,none:null,'it''s':1}"[:27] + "}") == {
        "state": "on",
        "ok": True,
        "none": None,
    }


@pytest.mark.parametrize(
    "text", ["{a:1,}", "{a}", "{a:}", "{a:1}}", "[1", "'a", "/* a", "{a:1 b:2}", "[" * 300]
)
def test_not_everything_is_lenient_json(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        loads(text)


def _plain(value: object) -> object:
    """A document with its numbers as numbers again."""
    if isinstance(value, Number):
        return json.loads(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_the_lenient_reader_agrees_with_the_standard_library_on_proper_json(document: object) -> None:
    text = json.dumps(document)
    assert _plain(loads(text)) == document
    assert _plain(loads(f"/**/{text}")) == document  # the comment forces the lenient reader


@given(st.binary(max_size=60))
def test_no_body_raises_anything_else(body: bytes) -> None:
    with suppress(Malformed, BadTimestamp):
        telemetry(body, NOW)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_widened_to_double_may_become_a_string(value: float) -> None:
    (widened,) = struct.unpack("<f", struct.pack("<f", value))
    text = repr(widened)
    decimals = len(text.partition(".")[2])
    if "e" not in text:
        assert isinstance(value_of(text), str) == (decimals > 16)


@pytest.mark.parametrize(
    "text", ["9223372036854775808.0", "-1e30", "340282350000000000000000000000000000000.0"]
)
def test_a_float_beyond_64_bits_is_stored_as_text(text: str) -> None:
    assert isinstance(value_of(text), str)
    assert isinstance(value_of("9200000000000000000.0"), float)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a{{b}}c":1,"d":2}',
        b'{"ts":1,"values":{"a{{b}}c":1,"d":2}}',
        b'{"ts":1,"values":{"ts":1,"values":2}}',
        b'{"<b>":1,"d":2}',
        b'{" ":1,"d":2}',
        b'{"%b":1,"d":2}' % (256 * b"k"),
    ],
)
def test_one_bad_key_loses_its_entry_after_the_answer_and_no_other(body: bytes) -> None:
    lost, kept = telemetry(b'[%b,{"ts":5,"values":{"e":3}}]' % body, NOW)
    assert lost.values == {}
    assert kept == Entry(5, {"e": 3})


def test_a_timestamp_may_be_an_array_of_one() -> None:
    assert telemetry(b'{"ts":[5],"values":{"a":1}}', NOW) == [Entry(5, {"a": 1})]
    with pytest.raises(Malformed):
        telemetry(b'{"ts":[5,6],"values":{"a":1}}', NOW)
    with pytest.raises(BadTimestamp):
        telemetry(b'{"ts":"9223372036854775808","values":{"a":1}}', NOW)
