"""An outage in the middle of a flush costs no sensor more than any other: all are drained soon after."""

from __future__ import annotations

import pytest

from tests.benchmarks import cut_flush

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    "secure", [pytest.param(False, id="coap"), pytest.param(True, id="coaps", marks=pytest.mark.long)]
)
def test_the_slowest_sensor_is_drained_soon_after_a_flush_that_was_cut(secure: bool) -> None:
    assert cut_flush.main(runs=1, secure=secure)
