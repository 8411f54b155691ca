"""A server that fails everybody is noticed within two seconds of its recovery."""

from __future__ import annotations

import pytest

from tests.benchmarks import noticed

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]


def test_a_server_that_failed_everybody_is_noticed_soon_after_it_is_back() -> None:
    assert noticed.main(runs=1)
