from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.foreign import libcoap_server


@pytest.fixture
def libcoap() -> Iterator[int]:
    """The port of a libcoap server on 127.0.0.1."""
    with libcoap_server() as port:
        yield port
