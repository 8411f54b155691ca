"""What is to be scanned: a bus of the site by its name, anything with a / by its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.commands.scan.scan import target_of
from bridge.errors import ConfigError
from tests.support.site import site_head


@pytest.mark.parametrize("port", ["/dev/ttyUSB0", "devices/unknown", "./tty"])
def test_a_path_is_a_port_and_needs_no_site(port: str, tmp_path: Path) -> None:
    assert target_of(port, tmp_path / "nowhere.toml").port == port


def test_a_name_that_no_bus_has_is_answered_with_the_buses(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(site_head(adapter="/dev/null"))
    with pytest.raises(ConfigError, match=r"the buses are: meters; a port has a / in its name"):
        target_of("meter", site)
