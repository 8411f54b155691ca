"""[decryption]: the keys of meters, each mistake in one line, and never a key in any of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bridge.commands.terminal.app import main
from bridge.config import load_credentials, load_site, with_keys
from bridge.errors import ConfigError

KEY = "00112233445566778899AABBCCDDEEFF"
SITE = """\
site = "home"
[thingsboard]
url = "coap://127.0.0.1"
[spool]
path = "{folder}/spool.db"
[bus.hall]
adapter = "/dev/null"
protocol = "dlms-push"
line = "2400 8E1"
[[bus.hall.sensor]]
name = "house"
[bus.shed]
adapter = "/dev/zero"
protocol = "sds011"
[[bus.shed.sensor]]
name = "dust"
id = "A160"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(folder=tmp_path))
    return path


def secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("form", [f'"{KEY}"', f'{{ key = "{KEY}", authentication_key = "{KEY.lower()}" }}'])
@pytest.mark.parametrize("name", ["credentials.toml", "decryption.toml"])
def test_a_bus_is_given_the_keys_of_its_sensors_alone(site: Path, form: str, name: str) -> None:
    secret(site.with_name(name), f"[decryption]\nhouse = {form}\n")
    loaded = load_site(site)
    keyed = with_keys(loaded, site.with_name("credentials.toml"))
    assert keyed.buses["hall"].protocol is not loaded.buses["hall"].protocol
    assert keyed.buses["shed"].protocol is loaded.buses["shed"].protocol
    assert KEY not in repr(keyed)


def test_without_a_file_there_are_no_keys_and_a_file_of_their_own_goes_first(site: Path) -> None:
    credentials = site.with_name("credentials.toml")
    loaded = load_site(site)
    assert with_keys(loaded, credentials) is loaded
    secret(credentials, '[decryption]\nhouse = "wrong"\n')
    secret(site.with_name("decryption.toml"), f'[decryption]\nhouse = "{KEY}"\n')
    assert with_keys(loaded, credentials) is not loaded


def test_a_site_that_decrypts_nothing_reads_no_secret(site: Path) -> None:
    site.write_text(
        site.read_text().replace('"dlms-push"', '"sml"').replace('"house"', '"house"\nid = "0a01"')
    )
    secret(site.with_name("credentials.toml"), "this is not TOML")
    loaded = load_site(site)
    assert with_keys(loaded, site.with_name("credentials.toml")) is loaded


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('house = "0011"', "decryption.house: a key has 32 hexadecimal digits, this one has 4"),
        (f'house = "{KEY[:-1]}x"', "decryption.house: a key is hexadecimal digits"),
        ("house = 7", "decryption.house: write the key in quotes"),
        (f'house = {{ authentication_key = "{KEY}" }}', "decryption.house.key: is missing"),
        (f'house = {{ key = "{KEY}", authentication = "{KEY}" }}', "decryption.house"),
        (f'dust = "{KEY}"', "decryption.dust: sensors of sds011 do not encrypt what they send"),
    ],
)
def test_each_mistake_is_one_line_without_the_key(site: Path, written: str, says: str) -> None:
    path = secret(site.with_name("credentials.toml"), f"[decryption]\n{written}\n")
    loaded = load_site(site)
    for load in (lambda: with_keys(loaded, path), lambda: load_credentials(path, loaded)):
        with pytest.raises(ConfigError) as error:
            load()
        (mistake,) = error.value.mistakes
        assert f"{path}:2: {says}" in mistake
        assert KEY not in mistake


def test_keys_that_others_may_read_are_refused(site: Path) -> None:
    own = secret(site.with_name("decryption.toml"), f'[decryption]\nhouse = "{KEY}"\n')
    own.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        with_keys(load_site(site), site.with_name("credentials.toml"))


def test_a_key_of_no_sensor_is_a_warning(site: Path) -> None:
    path = secret(site.with_name("credentials.toml"), f'[sensors]\n[decryption]\nhous = "{KEY}"\n')
    warnings = load_credentials(path, load_site(site)).warnings
    assert any("credentials.toml:3: " in line and 'did you mean "house"?' in line for line in warnings), (
        warnings
    )


def test_check_reads_the_keys_file_too(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret(site.with_name("credentials.toml"), '[sensors]\nhouse = "T1"\n')
    own = secret(site.with_name("decryption.toml"), '[decryption]\nhouse = "0011"\n')
    monkeypatch.setattr(sys, "argv", ["serial-bridge", "check", "--site", str(site)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == f"{own}:2: decryption.house: a key has 32 hexadecimal digits, this one has 4\n"
