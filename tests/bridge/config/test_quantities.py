"""Durations and sizes: what is read, and that what is written is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.quantities import Duration, Quantity, Size

ANY_DURATION = Duration("0s", "10000h")
ANY_SIZE = Size("0kB", "1000TB")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("300ms", 0.3), ("1m", 60), ("2h", 7200), ("0s", 0), ("1.5 s", 1.5), (" 2S ", 2)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert ANY_DURATION.read(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1GB", 10**9), ("500MB", 5 * 10**8), ("64MiB", 2**26), ("1.5kb", 1500), ("2 GiB", 2**31)],
)
def test_a_size_is_read_in_bytes(text: str, size: int) -> None:
    assert ANY_SIZE.read(text) == size
    assert type(ANY_SIZE.read(text)) is int


@pytest.mark.parametrize(
    "text", ["", "10", "s", "10x", "1,5s", "-1s", "1e3s", "1s 2s", "10s\n10s", "inf s", "١s"]
)
@pytest.mark.parametrize("quantity", [ANY_DURATION, ANY_SIZE])
def test_anything_else_is_refused_with_an_example(text: str, quantity: Quantity) -> None:
    with pytest.raises(ValueError, match=f'for example "{quantity.example}"'):
        quantity.read(text)


def test_a_range_includes_its_ends() -> None:
    quantity = Duration("100ms", "1m")
    assert (quantity.read("100ms"), quantity.read("60s")) == (0.1, 60)
    for text in ("99ms", "61s"):
        with pytest.raises(ValueError, match='use "100ms" to "1m"'):
            quantity.read(text)


@given(st.integers(0, 10**6))
def test_what_is_written_is_read_back(amount: int) -> None:
    assert ANY_DURATION.read(ANY_DURATION.written(amount)) == amount
    assert ANY_DURATION.read(ANY_DURATION.written(amount / 1000)) == pytest.approx(amount / 1000)
    assert ANY_SIZE.read(ANY_SIZE.written(amount * 1000)) == amount * 1000
