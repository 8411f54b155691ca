"""A server that fails everybody is noticed within two seconds of its recovery."""

from __future__ import annotations

import pytest

from tests.benchmarks import noticed

pytestmark = [pytest.mark.end_to_end, pytest.mark.long, pytest.mark.timeout(120)]


@pytest.mark.parametrize("failure", noticed.FAILURES)
def test_a_server_that_failed_everybody_is_noticed_soon_after_it_is_back(failure: str) -> None:
    assert noticed.main(failures=[failure], runs=1)
