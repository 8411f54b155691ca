"""What is written for a site, and what is refused before anything is."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.commands.install import files as files_module
from bridge.commands.install.files import RULES, UPLINK, files, handed_over
from bridge.config import Certificate, Credentials, Token
from bridge.errors import ConfigError
from tests.udev.sites import PLACES, files_of, site_of


def mistakes(**adapters: str) -> str:
    with pytest.raises(ConfigError) as caught:
        files(site_of(adapters), PLACES)
    return str(caught.value)


def test_without_credentials_there_is_no_uplink() -> None:
    found = files_of({"meters": "serial:AB0JPQ7X"}, replace(PLACES, handed_over={}))
    assert UPLINK not in found
    assert RULES in found


def test_the_templates_are_packaged_where_they_are_looked_for() -> None:
    root = Path(files_module.__file__).parents[3]
    targets = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert root / targets["wheel"]["force-include"]["udev"] == files_module.PACKAGED


def test_nothing_of_a_template_is_left() -> None:
    for path, text in files_of({"meters": "serial:AB0JPQ7X"}).items():
        for key in ("@program@", "@site@", "@spool@", "@buses@", "@handed_over@"):
            assert key not in text, path


@pytest.mark.parametrize(
    ("adapter", "sentence"),
    [
        ("serial:AB*", '"AB*" has a character that udev never writes'),
        ("serial:A|B", '"A|B" has a character that udev never writes'),
        ('path:pci"', "has a character that udev never writes"),
        ("/tmp/lines/meters", '"/tmp/lines/meters" is not in /dev, so udev does not know it'),
        ("/dev/../tmp/meters", "is not in /dev"),
    ],
)
def test_an_adapter_that_udev_cannot_know_is_refused_with_its_bus(adapter: str, sentence: str) -> None:
    said = mistakes(soil="serial:AB0JPQ7X", meters=adapter)
    assert said.startswith("/etc/serial-bridge/site.toml: bus.meters.adapter: ")
    assert sentence in said


@pytest.mark.parametrize(
    ("place", "path", "step"),
    [
        (
            "program",
            "/tmp/venv/bin/serial-bridge",
            "install it in /opt: /usr/bin/python3 -m venv /opt/serial-bridge",
        ),
        ("site", "/root/site.toml", "move it to /etc/serial-bridge"),
        ("spool", "/tmp", "move it to /var/lib/serial-bridge"),
    ],
)
def test_what_the_services_cannot_see_is_refused(place: str, path: str, step: str) -> None:
    with pytest.raises(ConfigError, match=f"{path}, is where the services have no access: {step}"):
        files(site_of({}), replace(PLACES, **{place: Path(path)}))


def test_a_path_that_would_need_quoting_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'"/etc/my site\.toml" has a character that a unit'):
        files(site_of({}), replace(PLACES, site=Path("/etc/my site.toml")))


def certificate(folder: Path, certificate: str, key: str) -> Certificate:
    """Return one whose files are there."""
    paths = folder / certificate, folder / key
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
    return Certificate(certificate=paths[0], key=paths[1])


def test_every_file_that_the_credentials_name_is_handed_over_by_its_name(tmp_path: Path) -> None:
    own = certificate(tmp_path, "keys/soil.pem", "soil.key")
    found = handed_over(Credentials({"a": Token("x"), "soil": own}), tmp_path / "credentials.toml")
    assert found == {
        "credentials.toml": tmp_path / "credentials.toml",
        "soil.pem": tmp_path / "keys/soil.pem",
        "soil.key": tmp_path / "soil.key",
    }


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    sensors = {name: certificate(tmp_path, f"{name}/crt.pem", f"{name}/key.pem") for name in ("a", "b")}
    with pytest.raises(ConfigError, match=r"a/crt\.pem and .*b/crt\.pem have one name"):
        handed_over(Credentials(sensors), tmp_path / "credentials.toml")


@pytest.mark.parametrize("name", ["handed_over", "program", "site", "spool", "buses"])
def test_what_looks_like_a_place_of_a_template_is_text(name: str) -> None:
    adapter = f"serial:A@{name}@"
    found = files_of({"meters": adapter})[RULES]
    assert f'# bus.meters: adapter = "{adapter}"' in found
    assert f'ENV{{ID_SERIAL_SHORT}}=="A@{name}@"' in found
