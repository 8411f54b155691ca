"""What ThingsBoard is sent: how values are written, and how readings are packed."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.simulator.server.telemetry import telemetry
from bridge.spool import Row
from bridge.thingsboard import (
    Unsendable,
    Value,
    encode_values,
    pack,
    telemetry_path,
    unstorable,
)

NO_LIMIT = 1000


def row(id_: int = 1, ts_ms: int = 1_700_000_000_000, **values: Value) -> Row:
    body, points = encode_values(values)
    return Row(id_, "meter", ts_ms, points, body)


def stored(payload: bytes) -> list[tuple[int, dict[str, object]]]:
    """Return what ThingsBoard makes of a payload: (timestamp, values); 0 stands for its own time."""
    return [(entry.ts_ms, dict(entry.values)) for entry in telemetry(payload, 0)]


class TestValues:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (230.1, "230.1"),
            (42.0, "42.0"),
            (0.1 + 0.2, "0.3"),
            (0.10000000149011612, "0.1000000014901161"),
            (1.2345678901234e-05, "0.0000123456789012"),
            (1e-17, "0.0"),
            (1e16, "10000000000000000.0"),
            (9.2e18, "9200000000000000000.0"),
            (-2.5e-7, "-0.00000025"),
            (12, "12"),
            (2**63 - 1, "9223372036854775807"),
            (-(2**63), "-9223372036854775808"),
            (True, "true"),
            (False, "false"),
            ("on", '"on"'),
            ("007", '"007"'),
            ("", '""'),
            ('a"b\n°', '"a\\"b\\n°"'),
            ("a\x00b", '"ab"'),
        ],
    )
    def test_a_value_is_written_as_thingsboard_keeps_it(self, value: Value, text: str) -> None:
        assert encode_values({"k": value}) == (f'{{"k":{text}}}'.encode(), 1)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_what_is_no_number_is_left_out(self, value: float) -> None:
        assert encode_values({"a": 1, "b": value}) == (b'{"a":1}', 1)
        assert encode_values({"b": value}) == (b"{}", 0)

    @pytest.mark.parametrize(
        "value", [2**63, 2**64 - 1, -(2**63) - 1, 10**30, 2.0**63, -(2.0**63), 3.4028235e38]
    )
    def test_a_number_beyond_64_bits_is_left_out_because_it_would_be_stored_as_text(
        self, value: Value
    ) -> None:
        assert encode_values({"a": 1, "total": value}) == (b'{"a":1}', 1)
        assert unstorable({"a": 1, "total": value, "b": "text", "c": True}) == ["total"]

    @given(st.floats(allow_nan=False, allow_infinity=False, min_value=-(2.0**63), max_value=2.0**63))
    def test_a_float_is_stored_as_a_number_near_it(self, value: float) -> None:
        assume(abs(value) < 2**63)
        body, _ = encode_values({"k": value})
        ((_, values),) = stored(body)
        assert isinstance(values["k"], float)
        assert values["k"] == pytest.approx(value, abs=6e-17, rel=1e-15)
        assert b"e" not in body.lower()

    @given(st.dictionaries(st.text(), st.one_of(st.integers(), st.booleans(), st.text()), max_size=5))
    def test_whatever_is_written_is_compact_json(self, values: dict[str, Value]) -> None:
        body, points = encode_values(values)
        assert len(json.loads(body)) == points == len(values) - len(unstorable(values))
        assert b"\x00" not in body

    @pytest.mark.parametrize(
        ("key", "plain"),
        [
            ("voltage_l1", "voltage_l1"),
            ("  pm2,5 ", "pm2,5"),
            ("", "value"),
            (" \t", "_"),
            ("<b>power</b>", "_b_power_/b_"),
            ("a{{b}}c", "a_b_c"),
            ("{{{x", "_x"),
            ("{x}", "{x}"),
            ("ts", "ts_"),
            ("values", "values"),
            ("k" * 300, "k" * 255),
            ("😀" * 200, "😀" * 127),
        ],
    )
    def test_a_key_is_made_plain(self, key: str, plain: str) -> None:
        body, _ = encode_values({key: 1})
        assert list(json.loads(body)) == [plain]

    @given(
        st.dictionaries(st.text(st.sampled_from("ts{}<>vaues_")), st.integers(0, 9), min_size=1, max_size=5)
    )
    def test_no_key_loses_its_reading_on_the_server(self, values: dict[str, Value]) -> None:
        body, points = encode_values(values)
        ((_, kept),) = stored(body)
        ((_, kept_with_time),) = stored(b'{"ts":1,"values":%b}' % body)
        assert len(kept) == len(kept_with_time) == points == len(values)

    @pytest.mark.parametrize("timed", [True, False])
    def test_registers_called_ts_and_values_are_two_values(self, timed: bool) -> None:
        batch = pack([row(ts_ms=5, ts=1, values=2)], 1024, NO_LIMIT, timed=timed)
        assert stored(batch.payload) == [(5 if timed else 0, {"ts_": 1, "values": 2})]

    def test_two_keys_never_become_one(self) -> None:
        body, points = encode_values({"a<": 1, "a>": 2, "k" * 256: 3, "k" * 257: 4})
        assert list(json.loads(body)) == ["a_", "a__2", "k" * 255, "k" * 251 + "_2"]
        assert points == 4


class TestPacking:
    def test_readings_are_posted_under_the_token_or_with_the_certificate(self) -> None:
        assert telemetry_path("T") == ("api", "v1", "T", "telemetry")
        assert telemetry_path(None) == ("api", "v1", "telemetry")

    def test_as_many_readings_as_fit_go_into_one_message(self) -> None:
        rows = [row(number, 1000 + number, power=230.5) for number in range(100)]
        batch = pack(rows, 1024, NO_LIMIT)
        assert len(batch.payload) <= 1024
        assert batch.rows == tuple(rows[: len(batch.rows)])
        assert len(pack(rows, len(batch.payload), NO_LIMIT).rows) == len(batch.rows)
        assert len(pack(rows, len(batch.payload) - 1, NO_LIMIT).rows) == len(batch.rows) - 1
        assert stored(batch.payload) == [(taken.ts_ms, {"power": 230.5}) for taken in batch.rows]

    def test_points_limit_a_batch_too(self) -> None:
        rows = [row(number, a=1, b=2, c=3) for number in range(10)]
        batch = pack(rows, 1024, 7)
        assert (len(batch.rows), batch.points) == (2, 6)

    @given(
        sizes=st.lists(st.integers(1, 30), min_size=1, max_size=8),
        budget=st.integers(60, 300),
        max_points=st.integers(1, 40),
    )
    def test_everything_is_sent_once_and_nothing_is_too_long(
        self, sizes: list[int], budget: int, max_points: int
    ) -> None:
        rows = [
            row(number, 1000 + number, **{f"k{n}": n / 7 for n in range(size)})
            for number, size in enumerate(sizes)
        ]
        wanted = {(r.ts_ms, key, value) for r in rows for key, value in json.loads(r.body).items()}
        got: list[tuple[int, str, object]] = []
        while rows:
            batch = pack(rows, budget, max_points)
            assert len(batch.payload) <= budget
            entries = stored(batch.payload)
            assert 1 <= batch.points == sum(len(values) for _, values in entries) <= max_points
            got += [(ts_ms, key, value) for ts_ms, values in entries for key, value in values.items()]
            rows = ([batch.rest] if batch.rest else []) + rows[len(batch.rows) :]
        assert len(got) == len(wanted)
        assert set(got) == wanted

    def test_a_reading_without_its_timestamp_is_stored_at_the_servers_time(self) -> None:
        assert stored(pack([row(a=1)], 1024, NO_LIMIT, timed=False).payload) == [(0, {"a": 1})]

    def test_a_reading_that_is_cut_always_has_its_timestamp(self) -> None:
        batch = pack([row(ts_ms=5, a=1, b=2)], 1024, 1, timed=False)
        assert stored(batch.payload) == [(5, {"a": 1})]
        assert batch.rest == row(ts_ms=5, b=2)

    def test_a_value_longer_than_a_message_cannot_be_sent(self) -> None:
        with pytest.raises(Unsendable, match="'text' is longer than a message of 1024 bytes") as caught:
            pack([row(7, text="x" * 2000)], 1024, NO_LIMIT)
        assert caught.value.row.id == 7

    def test_a_reading_without_values_is_never_sent(self) -> None:
        empty = Row(2, "meter", 1, 0, b"{}")
        assert pack([row(a=1), empty], 1024, NO_LIMIT).rows == (row(a=1),)
        with pytest.raises(Unsendable, match="no value"):
            pack([empty, row(a=1)], 1024, NO_LIMIT)
