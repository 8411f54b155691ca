"""The one line that cannot be found out: the server, and what lets it create the devices."""

from __future__ import annotations

import pytest

from bridge.commands.setup.server_steps import server_line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("tb.example.com", "coap://tb.example.com"),
        ("127.0.0.1:7000", "coap://127.0.0.1:7000"),
        ("coaps://tb.example.com", "coaps://tb.example.com"),
        ("  tb.example.com   KEY  SECRET ", "coap://tb.example.com KEY SECRET"),
    ],
)
def test_a_host_is_enough_and_key_and_secret_may_follow(typed: str, line: str) -> None:
    assert server_line(typed) == line


@pytest.mark.parametrize(
    "typed", ["", "tb.example.com KEY", "a b c d", "http://tb.example.com", "coap://x/y"]
)
def test_anything_else_is_said(typed: str) -> None:
    with pytest.raises(ValueError, match=r"write|must have|no scheme|CoAP"):
        server_line(typed)
