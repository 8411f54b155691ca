"""[web] of site.toml: off unless it says otherwise, and no edit of it restarts a reader or the uplink."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import load_site
from bridge.errors import ConfigError
from tests.support.played_site import write_site


def test_the_page_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    assert write_site(tmp_path).web.listen == "off"
    web = write_site(tmp_path, more='[web]\nlisten = "lan"\n').web
    assert (web.listen, web.port) == ("lan", 8470)


@pytest.mark.parametrize("line", ['listen = "internet"', "listen = true", "port = 80", 'ports = "8470"'])
def test_a_mistake_is_said_with_its_place(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=r"site.toml:\d+: web\."):
        write_site(tmp_path, more=f"[web]\n{line}\n")


def test_switching_it_on_concerns_no_service_that_runs(tmp_path: Path) -> None:
    before = write_site(tmp_path).fingerprints
    write_site(tmp_path, more='[web]\nlisten = "local"\n')
    assert load_site(tmp_path / "site.toml").fingerprints == before
