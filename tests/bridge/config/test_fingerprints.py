"""Which service an edit of site.toml concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import load_site

SITE = """
site = "barn"
[thingsboard]
url = "coap://localhost"
[bus.meters]
adapter = "serial:AB0JPQ7X"
protocol = "modbus-rtu"
line = "9600 8N1"
[[bus.meters.sensor]]
name = "main"
address = 1
every = "10s"
model = "own"
[bus.soil]
adapter = "serial:AB0JPQ7Y"
protocol = "modbus-rtu"
line = "9600 8N1"
[[bus.soil.sensor]]
name = "bed"
address = 1
every = "10s"
registers.temperature = { holding = 0, type = "int16" }
"""
MODEL = 'title = "Own"\nsources = ["its manual"]\n[registers]\nv = { input = 0, type = "uint16" }\n'


def concerned(folder: Path, site: str = SITE, model: str = MODEL) -> set[str]:
    """Return the parts whose fingerprint differs from that of SITE and MODEL."""
    found = []
    for text, own in ((SITE, MODEL), (site, model)):
        (folder / "models").mkdir(exist_ok=True)
        (folder / "models" / "own.toml").write_text(own)
        (folder / "site.toml").write_text(text)
        found.append(load_site(folder / "site.toml").fingerprints)
    before, after = found
    return {part for part in {*before, *after} if before.get(part) != after.get(part)}


def test_a_trust_anchor_counts_by_what_it_holds(tmp_path: Path) -> None:
    anchor = tmp_path / "ca.pem"
    site = SITE.replace('url = "coap://localhost"', f'url = "coaps://localhost"\nca = "{anchor}"')
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "own.toml").write_text(MODEL)
    (tmp_path / "site.toml").write_text(site)
    found = []
    for content in ("one", "other", "one"):
        anchor.write_text(content)
        found.append(load_site(tmp_path / "site.toml").fingerprints)
    assert found[0] == found[2] != found[1]
    assert {part for part in found[0] if found[0][part] != found[1][part]} == {"uplink"}


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ('address = 1\nevery = "10s"\nmodel', 'address = 2\nevery = "10s"\nmodel', {"bus-meters"}),
        ('line = "9600 8N1"\n[[bus.soil', 'line = "19200 8N1"\n[[bus.soil', {"bus-soil"}),
        ("localhost", "tb.example.com", {"uplink"}),
        ('name = "bed"', 'name = "border"', {"bus-soil", "uplink"}),
        ("[bus.soil", "[bus.earth", {"bus-soil", "bus-earth", "uplink"}),
        ("[bus.meters]", '[clock]\ntrust = "system"\n[bus.meters]', {"bus-meters", "bus-soil", "uplink"}),
        ("[bus.meters]", '[spool]\nlimit = "2GB"\n[bus.meters]', {"bus-meters", "bus-soil", "uplink"}),
        ('site = "barn"', '# barn\nsite = "barn-7"', set()),
        ('name = "main"\naddress = 1', 'address = 1  # of the meter\nname = "main"', set()),
    ],
)
def test_an_edit_concerns_those_who_depend_on_it(tmp_path: Path, old: str, new: str, parts: set[str]) -> None:
    assert old in SITE
    assert concerned(tmp_path, SITE.replace(old, new)) == parts


def test_a_model_of_the_site_concerns_the_buses_that_use_it(tmp_path: Path) -> None:
    assert concerned(tmp_path, model=MODEL.replace("input = 0", "input = 2")) == {"bus-meters"}
