"""Ids that stay the same each time a pack is made, so that two packs of a site can be compared."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

_NAMESPACE: Final = UUID("5d1f7a0e-51c6-4f0b-9b6e-2b1f2f6c9a41")


def stable_id(*words: str) -> str:
    """Return the id of what these words name, as ThingsBoard writes one."""
    return str(uuid5(_NAMESPACE, "\x1f".join(words)))
