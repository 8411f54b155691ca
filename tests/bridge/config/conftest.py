"""A catalogue with a made-up protocol, and files to load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

import protocols
from bridge.config import load_site
from bridge.errors import ConfigError
from tests.bridge.config import made_up_fixed, made_up_protocol

SITES = Path(__file__).parent / "sites"
GOOD = (SITES / "good.toml").read_text()

Mistakes = Callable[[str], list[str]]


@pytest.fixture(autouse=True)
def _catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    for entry in (made_up_protocol, made_up_fixed):
        monkeypatch.setitem(
            cast(dict[str, tuple[str, str]], protocols.CATALOGUE),
            entry.PROTOCOL.name,
            (entry.__name__, "PROTOCOL"),
        )


@pytest.fixture
def mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mistakes:
    """Return the mistakes in the text of a site file."""
    monkeypatch.chdir(tmp_path)

    def load(text: str) -> list[str]:
        Path("site.toml").write_bytes(text.encode(errors="surrogatepass"))
        try:
            load_site(Path("site.toml"))
        except ConfigError as error:
            return list(error.mistakes)
        return []

    return load
