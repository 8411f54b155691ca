"""Whether anything reads the site."""

from __future__ import annotations

import pytest

from bridge.commands.doctor.examination import examine
from bridge.status.runtime import Runtime
from tests.bridge.commands.doctor.described import Described


async def fixes(described: Described) -> list[str]:
    site = described.site("serial:AB0JPQ7X", url="coap://127.0.0.1:1")
    findings = await examine(site, described.folder / "credentials.toml", described.machine())
    return [f"{each.sentence}: {each.fix}" for each in findings if each.area == "services"]


async def test_services_that_were_never_installed_are_the_next_step(described: Described) -> None:
    assert await fixes(described) == [], "without systemd there is nothing to install"
    described.file("run/systemd/system/x", "")
    (sentence,) = await fixes(described)
    assert sentence.startswith("nothing reads the sensors yet: the services were never installed: sudo ser")
    assert sentence.endswith(f"install --site {described.folder / 'site.toml'}")
    described.file("etc/systemd/system/serial-bridge@.service", "[Service]\n")
    assert await fixes(described) == []


async def test_a_site_that_is_run_by_hand_needs_no_services(
    described: Described, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(described.folder / "runtime"))
    described.file("run/systemd/system/x", "")
    site = described.site("serial:AB0JPQ7X", url="coap://127.0.0.1:1")
    Runtime(site.spool.path).publish("bus-bus1", {"bus": "bus1"})
    assert await fixes(described) == []
