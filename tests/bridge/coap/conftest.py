from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.coap import opening
from tests.support.foreign import libcoap_server


@pytest.fixture
def libcoap() -> Iterator[int]:
    """Yield the port of a libcoap server on 127.0.0.1."""
    with libcoap_server() as port:
        yield port


@pytest.fixture
def quick_knocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for seconds whether an address answers a ping: in these tests it never does."""
    monkeypatch.setattr(opening, "KNOCK_EVERY_S", 0.05)
