"""CoAP's codes: RFC 7252 §3 (how an octet is divided) and §12.1.2 (the registry's examples)."""

from __future__ import annotations

import json

import pytest

from bridge.response_code import ResponseCode


@pytest.mark.parametrize(
    ("octet", "text", "code_class", "detail"),
    [
        (0x41, "2.01", 2, 1),
        (0x45, "2.05", 2, 5),
        (0x8D, "4.13", 4, 13),
        (0x9D, "4.29", 4, 29),
        (0xA0, "5.00", 5, 0),
    ],
)
def test_an_octet_is_three_bits_of_class_and_five_of_detail(
    octet: int, text: str, code_class: int, detail: int
) -> None:
    code = ResponseCode.from_octet(octet)
    assert (str(code), code.code_class, code.detail) == (text, code_class, detail)
    assert code == ResponseCode(text)
    assert json.dumps({code: 1}) == f'{{"{text}": 1}}'


@pytest.mark.parametrize("octet", range(256))
def test_every_octet_has_one_text(octet: int) -> None:
    code = ResponseCode.from_octet(octet)
    assert code.code_class << 5 | code.detail == octet
    assert (code.is_success, code.is_server_error) == (0x40 <= octet < 0x60, 0xA0 <= octet < 0xC0)


@pytest.mark.parametrize("text", ["", "2", "201", "2.1", "2.32", "8.00", "2.001", "silence"])
def test_a_text_that_is_no_code_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a CoAP code"):
        ResponseCode(text)
