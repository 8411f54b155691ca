"""Numbers with their nouns, as a person writes them."""

from __future__ import annotations


def times(count: int) -> str:
    """Return how often: "once", "7 times"."""
    return "once" if count == 1 else f"{count} times"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return how many of something: "1 request", "2 requests"."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
