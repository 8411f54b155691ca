"""`decode`: bytes into events, without port, configuration or network."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.commands.decode.streams import decode_stream, entry_of, run
from bridge.commands.models import listing as models
from bridge.errors import ConfigError
from protocols import load
from tests.protocols.vectors import vectors

MODBUS = load("modbus-rtu")
REQUEST, REPLY = "01040000000271cb", "010404436633341b38"


def decoded(source: str, *, lines: str = "", model: str | None = None) -> tuple[int, list[dict[str, Any]]]:
    out = io.StringIO()
    code = run(MODBUS, source, model, True, io.StringIO(lines), out)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_request_and_its_reply() -> None:
    assert decoded("01 04 00 00 00 02 71 cb 01040443 663334 1b38") == (
        0,
        [
            {
                "offset": 0,
                "frame": REQUEST,
                "fields": {"address": 1, "function": 4, "start": 0, "quantity": 2},
            },
            {
                "offset": 8,
                "frame": REPLY,
                "fields": {
                    "address": 1,
                    "function": 4,
                    "byte_count": 4,
                    "data": "43663334",
                    "registers": [17254, 13108],
                },
            },
        ],
    )


def test_a_model_names_the_registers_of_a_reply() -> None:
    _, events = decoded(REQUEST + REPLY, model="eastron-sdm120")
    assert events[1]["fields"]["values"] == {"voltage": 230.20001}
    _, alone = decoded(REPLY, model="eastron-sdm120")
    assert "values" not in alone[0]["fields"]


def test_a_refusal_is_told_by_name() -> None:
    _, (event,) = decoded("018302c0f1")
    assert event["fields"] == {
        "address": 1,
        "function": 3,
        "exception": 2,
        "exception_name": "illegal data address",
    }


def test_what_is_left_unfinished_is_cut() -> None:
    assert decoded(REQUEST + "0104")[1][1:] == [{"offset": 8, "noise": "0104", "reason": "cut"}]


def test_a_broken_frame_is_one_event() -> None:
    assert decoded("0103020064b9ae")[1] == [{"offset": 0, "noise": "0103020064b9ae", "reason": "checksum"}]


def test_a_line_is_a_stream_of_its_own_and_a_bad_one_stops_nothing() -> None:
    code, events = decoded("-", lines=f"{REQUEST}\n\nabc\nxyz\n{REQUEST}{REQUEST}")
    assert code == 1
    assert [event["stream"] for event in events] == [0, 1, 2, 3, 4, 4]
    assert ["error" in event for event in events] == [False, True, True, True, False, False]
    assert [event.get("offset") for event in events] == [0, None, None, None, 0, 8]


def test_bad_hex_as_an_argument_fails() -> None:
    code, (event,) = decoded("0x01")
    assert code == 1
    assert "not hex" in event["error"]


def test_not_one_frame_is_a_failure_that_tells_what_to_compare() -> None:
    out = io.StringIO()
    assert run(MODBUS, "ff010203040506", None, False, io.StringIO(), out) == 1
    *events, advice = out.getvalue().splitlines()
    assert events
    assert advice.startswith("no frame of modbus-rtu was found: compare the protocol's name, the baud rate")
    code, (event,) = decoded("ff010203040506")
    assert (code, event["noise"]) == (1, "ff010203040506"), "a program gets events only"
    assert decoded("-", lines="")[0] == 1
    assert decoded(f"ff{REQUEST}")[0] == 0, "noise around a frame is no failure"


def test_a_wrong_name_is_told_before_anything_is_read() -> None:
    with pytest.raises(ConfigError):
        run(MODBUS, "-", "eastron-sdm9999", True, io.StringIO(REQUEST), io.StringIO())
    with pytest.raises(KeyError):
        entry_of("morse", None, Path("site.toml"))


def test_people_get_one_line_an_event() -> None:
    out = io.StringIO()
    run(MODBUS, "-", "eastron-sdm120", False, io.StringIO(f"{REQUEST}{REPLY}ff\n"), out)
    first, second, third = out.getvalue().splitlines()
    assert first == "0:     0  01 04 00 00 00 02 71 cb  address=1  function=4  start=0  quantity=2"
    assert second.endswith("registers=[17254, 13108]  values={voltage: 230.20001}")
    assert third == "0:    17  ff  — cut"


@given(
    st.lists(
        st.sampled_from([*(v["hex"] for v in vectors("modbus-rtu")), "00", "ff01", "0103fa"]), max_size=8
    )
)
def test_every_byte_is_in_exactly_one_event(pieces: list[str]) -> None:
    data = bytes.fromhex("".join(pieces))
    offset = 0
    for event in decode_stream(MODBUS, data, None):
        assert event["offset"] == offset
        octets = bytes.fromhex(event.get("frame") or event["noise"])
        assert octets == data[offset : offset + len(octets)]
        offset += len(octets)
    assert offset == len(data)


@pytest.mark.parametrize(
    ("name", "model", "told"),
    [
        ("sml", "emh", "SML 1.04 electricity meters has no models, leave --model out"),
        (
            "shdlc",
            "sps20",
            'there is no model "sps20" of Sensirion SHDLC, use sps30; '
            "`serial-bridge protocols shdlc` lists all",
        ),
        (
            "modbus-rtu",
            "XY-MD03",
            'there is no model "XY-MD03" of Modbus RTU, use xy-md02; '
            "`serial-bridge protocols modbus-rtu` lists all",
        ),
        (
            "shdlc",
            "pms5003",
            'there is no model "pms5003" of Sensirion SHDLC; `serial-bridge protocols shdlc` lists all',
        ),
    ],
)
def test_a_wrong_model_is_answered_with_what_its_protocol_has(name: str, model: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(load(name), "00", model, False, io.StringIO(), io.StringIO())
    assert str(caught.value) == told


def test_every_model_is_listed_and_described() -> None:
    for row in models.listing():
        described = models.describe(row["name"])
        assert described["sources"]
        assert len(described["registers"]) == row["registers"]
    assert json.dumps(models.describe("xy-md02")["registers"][0], ensure_ascii=False) == (
        '{"name": "temperature", "table": "input", "address": 1, "type": "int16", "unit": "°C", '
        '"grade": "A", "divide": 10}'
    )
