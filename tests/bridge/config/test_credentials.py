"""credentials.toml: what it becomes, what is wrong with it, and that no secret of it is ever shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.config import (
    Certificate,
    Credentials,
    Provisioning,
    Site,
    ThingsBoard,
    Token,
    load,
    load_credentials,
    load_site,
)
from bridge.errors import ConfigError
from tests.bridge.config.conftest import GOOD, SITES
from tests.support.certificates import EXPIRED, Authority
from tests.support.pages import ALL

EXAMPLES = set(re.findall('= "(the (?:access|profile).*)"', ALL))
SECRET = "A1b2C3d4E5f6G7h8"
Load = Callable[..., Credentials]


@pytest.fixture
def site() -> Site:
    return load_site(SITES / "good.toml")


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)

    def write_and_load(text: str, site: Site | None = None, *, mode: int = 0o600) -> Credentials:
        path = Path("credentials.toml")
        path.write_text(text)
        path.chmod(mode)
        return load_credentials(path, site)

    return write_and_load


@pytest.fixture
def key_pair(tmp_path: Path) -> Path:
    Authority(tmp_path).issue("soil")
    return tmp_path


def test_a_sensor_has_a_token_or_a_certificate(read: Load, site: Site, key_pair: Path) -> None:
    found = read(
        f'[sensors]\nmain-meter = "{SECRET}"\nroof = "R"\n'
        'soil = { certificate = "soil.pem", key = "soil.key" }\n'
        '[provisioning]\ndevice_key = "k"\ndevice_secret = "s"',
        secure(site),
    )
    assert found.sensors == {
        "main-meter": Token(SECRET),
        "soil": Certificate(certificate=key_pair / "soil.pem", key=key_pair / "soil.key"),
        "roof": Token("R"),
    }
    assert found.provisioning == Provisioning(device_key="k", device_secret="s")
    assert found.warnings == ()


def secure(site: Site) -> Site:
    return replace(site, thingsboard=ThingsBoard(url="coaps://tb.example.com"))


def test_a_certificate_needs_an_encrypted_url(read: Load, site: Site, key_pair: Path) -> None:
    with pytest.raises(ConfigError, match=r"soil: a certificate is for coaps:// only, and .*good\.toml says"):
        read('[sensors]\nsoil = { certificate = "soil.pem", key = "soil.key" }', site)


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        (("soil.pem", "other.key"), r"the key .*other\.key does not belong to the certificate .*soil\.pem"),
        (("soil.key", "soil.key"), r"soil\.key holds no PEM certificate .*openssl x509"),
        (("soil.pem", "soil.pem"), r"soil\.pem holds no PEM private key .*openssl pkey"),
        (("secret.pem", "secret.key"), r"the key .*secret\.key asks for a passphrase, .*openssl pkey"),
    ],
)
def test_files_that_make_no_identity_are_mistakes(
    pair: tuple[str, str], told: str, read: Load, site: Site, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    for name, passphrase in (("soil", None), ("other", None), ("secret", "open")):
        authority.issue(name, passphrase=passphrase)
    for path in tmp_path.glob("*.pem"):
        path.chmod(0o600)
    with pytest.raises(ConfigError, match=told):
        read(f'[sensors]\nsoil = {{ certificate = "{pair[0]}", key = "{pair[1]}" }}', secure(site))


def test_an_expired_certificate_is_a_warning(read: Load, site: Site, tmp_path: Path) -> None:
    Authority(tmp_path).issue("soil", valid=EXPIRED)
    found = read('[sensors]\nsoil = { certificate = "soil.pem", key = "soil.key" }', secure(site))
    assert any("soil.pem expired on" in warning for warning in found.warnings)


def test_an_empty_file_leaves_every_sensor_without_credential(read: Load, site: Site) -> None:
    found = read("", site)
    assert (found.sensors, found.provisioning) == ({}, None)
    assert found.warnings == tuple(
        f'credentials.toml:1: sensors: "{name}" has no credential: its readings wait in the spool'
        for name in ("main-meter", "soil", "roof")
    )


def test_a_name_that_no_sensor_has_is_a_warning(read: Load, site: Site) -> None:
    found = read('[sensors]\nmain-meter = "A"\nsoil = "B"\nroof = "C"\nsoll = "D"', site)
    assert found.warnings == (
        f'credentials.toml:5: sensors.…: {site.path} has no such sensor; did you mean "soil"?',
    )


def with_gateway(site: Site, name: str = "gate") -> Site:
    server = ThingsBoard(url=site.thingsboard.url, gateway=name)
    return replace(site, thingsboard=server)


def test_the_gateway_has_a_credential_beside_the_sensors(read: Load, site: Site) -> None:
    found = read('[sensors]\nmain-meter = "A"\nsoil = "B"\nroof = "C"\ngate = "D"', with_gateway(site))
    assert found.sensors["gate"] == Token("D")
    assert found.warnings == ()


def test_a_gateway_without_a_credential_is_a_warning(read: Load, site: Site) -> None:
    found = read('[sensors]\nmain-meter = "A"\nsoil = "B"\nroof = "C"', with_gateway(site))
    assert found.warnings == (
        'credentials.toml:1: sensors: the gateway "gate" has no credential: nothing is reported of it',
    )


def test_the_gateway_and_a_sensor_are_two_devices(read: Load, site: Site) -> None:
    with pytest.raises(
        ConfigError, match=r"gate: the gateway has the credential of .*soil.*keep that sensor alive"
    ):
        read('[sensors]\nmain-meter = "A"\nsoil = "B"\nroof = "C"\ngate = "B"', with_gateway(site))


MISTAKES = [
    ('[sensors]\nsoil = ""', "2: sensors.soil: the token is empty"),
    (f'[sensors]\nsoil = " {SECRET}"', "2: sensors.soil: the token has a space at an end"),
    (
        f'[sensors]\nsoil = "{SECRET}\\u200b"',
        "2: sensors.soil: the token has a space at an end or an invisible",
    ),
    (f'[sensors]\nsoil = "{SECRET}/x"', "2: sensors.soil: a token cannot hold a /"),
    ('[sensors]\nsoil = ".."', "2: sensors.soil: a token cannot hold a / or be only dots"),
    (f'[sensors]\nsoil = "{SECRET * 16}"', "2: sensors.soil: the token has 256 bytes"),
    ("[sensors]\nsoil = 12345678", "2: sensors.soil: write the token in quotes"),
    ('[sensors]\nsoil = { token = "x" }', "2: sensors.soil.…: unknown key"),
    ('[sensors]\nsoil = { certificate = "soil.pem" }', "2: sensors.soil.key: is missing"),
    ('[sensors]\nsoil = { certificate = "no.pem", key = "soil.key" }', "2: sensors.soil.certificate: "),
    ("[sensors]\nsoil = { certificate = 3, key = 4 }", "2: sensors.soil.certificate: this is not a path"),
    (f'soil = "{SECRET}"', "1: soil: unknown key; it belongs to [sensors]"),
    (f'[sensor]\nsoil = "{SECRET}"', "1: …: unknown key; did you mean sensors?"),
    (f'sensors = "{SECRET}"', "1: sensors: this must be a table"),
    (f'[provisioning]\ndevice_key = "{SECRET}"', "1: provisioning.device_secret: is missing"),
    (
        f'[provisioning]\ndevice_key = "{SECRET} "\ndevice_secret = "s"',
        "2: provisioning.device_key: a secret",
    ),
    (
        f'[provisioning]\ndevice_key = ["{SECRET}"]\ndevice_secret = "s"',
        "2: provisioning.device_key: this is not",
    ),
    ("[provisioning]\ndevice_key = 12345678\ndevice_secret = 's'", "2: provisioning.device_key: this is not"),
    (f'provisioning = "{SECRET}"', "1: provisioning: this must be a table"),
    (f'[sensors]\n{SECRET} = "soil"', "1: sensors: name and token are the wrong way round on line 2"),
    (f"[sensors]\nsoil = {SECRET}", "2: a text needs quotes at both ends"),
    ("[sensors]\nsoil = 012345678", "2: a number does not begin with 0: write it in quotes, or"),
    (f'[sensors]\nsoil = "{SECRET}', "2: a text is not closed"),
    (f'[sensors]\nsoil = "{SECRET}"\nsoil = "{SECRET}"', "3: this key or table is there already"),
    (f'[sensors]\nsoil = "{SECRET}" {SECRET}', "2: something follows the value"),
    (f"[sensors]\nsoil: {SECRET}", "2: a key and its value are joined by ="),
]


@pytest.mark.parametrize(("text", "start"), MISTAKES)
@pytest.mark.usefixtures("key_pair")
def test_a_mistake_is_named_without_the_secret(text: str, start: str, read: Load, site: Site) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text, site)
    assert raised.value.mistakes[0].startswith(f"credentials.toml:{start}")
    assert SECRET not in str(raised.value)
    assert "12345678" not in str(raised.value)


MISPLACED = [
    "{S} = 1",
    '{S} = "soil"',
    '"{S}" = "soil"',
    "[{S}]",
    '[{S}]\nsoil = "x"',
    "[[{S}]]\nsoil = 1",
    '[sensors]\n{S} = "nobody"',
    '[sensors]\n{S} = ""',
    "[sensors]\n{S} = 5",
    "[sensors]\n{S} = true",
    '[sensors]\n{S} = {{ certificate = "a", key = "b" }}',
    "[sensors]\n{S} = {{ certificate = 1 }}",
    "[sensors]\n{S}.{S} = 1",
    '[sensors]\n[sensors.{S}]\ntoken = "x"',
    "[sensors]\nsoil = {{ {S} = 1 }}",
    '[sensors]\nsoil = {{ certificate = "{S}", key = "{S}" }}',
    "[sensors]\nsoil = {{ certificate = {S} }}",
    "[sensors]\nsoil = [{S}]",
    '[sensors]\nsoil = ["{S}"]',
    '[sensors]\nsoil = """{S}',
    "[sensors]\nsoil = 9999999999999999999999 # {S}\n{S} = 9999999999999999999999",
    '[sensors]\n{S} = "a"\n{S} = "b"',
    "[sensors]\n{S}.a = 1\n{S}.a = 2",
    "[sensors]\n{S} = 1\n[sensors.{S}]",
    "[sensors.{S}]\n[sensors.{S}]",
    "[{S}]\na = 1\n[{S}]",
    "[sensors]\nx = {{ {S} = 1, {S} = 2 }}",
    "[sensors]\n{S}",
    "[sensors]\n{S} =",
    "[sensors]\n{S}: 5",
    "[sensors]\n= {S}",
    "[sensors]\n{S} = yes",
    "[sensors]\n{S} = 007",
    "[sensors]\n{S} = 1,5",
    "[sensors]\n{S} = “x”",
    "[sensors\n{S} = 1",
    "[sensors.{S}",
    "[[{S}]",
    '[sensors]\nsoil = "\\{S}"',
    "[sensors]\nsoil = '{S}",
    "[sensors]\nsoil = {S}.pem",
    "[provisioning]\n{S} = 1",
    '[provisioning]\ndevice_key = "{S} "\n{S} = "x"',
    "[pending]\n{S} = 1",
    '[pending]\n{S} = ""',
    'pending = ["{S}"]',
    "sensors = {S}",
    "{S}",
    "[sensors]\n" + "{S}." * 500 + "x = 1",
    "[sensors]\nsoil = " + "[" * 500 + "{S}",
]


@pytest.mark.parametrize("with_site", [True, False])
@pytest.mark.parametrize("text", MISPLACED)
def test_a_token_in_any_place_of_the_file_is_never_shown(
    text: str, with_site: bool, read: Load, site: Site
) -> None:
    try:
        loaded = read(text.format(S=SECRET), site if with_site else None)
    except ConfigError as error:
        said = str(error)
    else:
        said = "\n".join(loaded.warnings)
    assert SECRET not in said
    assert SECRET.lower() not in said.lower()


def test_a_name_of_the_site_is_shown(read: Load, site: Site) -> None:
    with pytest.raises(ConfigError, match=r":2: sensors\.main-meter: "):
        read("[sensors]\nmain-meter = 5", site)


def test_no_repr_shows_a_secret(read: Load) -> None:
    found = read(
        f'[sensors]\nsoil = "{SECRET}"\n[provisioning]\ndevice_key = "{SECRET}"\ndevice_secret = "{SECRET}"'
    )
    assert SECRET not in repr(found)
    assert SECRET not in f"{found.sensors['soil']} {found.provisioning}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o610, 0o601])
def test_a_file_that_others_may_read_is_refused_with_the_command_that_helps(mode: int, read: Load) -> None:
    with pytest.raises(ConfigError, match=r"chmod 600 credentials\.toml$"):
        read(f'[sensors]\nsoil = "{SECRET}"', mode=mode)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o620, 0o610, 0o601])
def test_a_key_that_others_may_read_is_refused(mode: int, read: Load, site: Site, key_pair: Path) -> None:
    (key_pair / "soil.key").chmod(mode)
    with pytest.raises(ConfigError, match=r"sensors\.soil\.key: .*chmod 600 .*soil\.key"):
        read('[sensors]\nsoil = { certificate = "soil.pem", key = "soil.key" }', secure(site))


def test_systemd_may_hand_over_a_file_with_its_own_mode(
    read: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read('[sensors]\nsoil = "x"', mode=0o440).sensors == {"soil": Token("x")}


def test_what_systemd_hands_over_is_found_beside_the_file_by_its_bare_name(
    site: Site, key_pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(key_pair))
    path = key_pair / "credentials.toml"
    path.touch(mode=0o600)
    path.write_text('[sensors]\nsoil = { certificate = "/etc/keys/soil.pem", key = "keys/soil.key" }')
    found = load_credentials(path, secure(site)).sensors["soil"]
    assert found == Certificate(certificate=key_pair / "soil.pem", key=key_pair / "soil.key")


SHARED = GOOD.replace("address = 1\n", "address = 1\nregisters = { KEY = { at = 0 } }\n", 1)


def test_sensors_with_one_token_must_not_give_the_same_value(read: Load, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SHARED.replace("KEY", "temperature"))
    site = load_site(tmp_path / "site.toml")
    with pytest.raises(ConfigError) as raised:
        read(f'[sensors]\nmain-meter = "{SECRET}"\nroof = "R"\nsoil = "{SECRET}"', site)
    assert raised.value.mistakes == (
        "credentials.toml:4: sensors.soil: has the credential of sensors.main-meter, and both sensors give "
        '"temperature": one would overwrite the other; give each its own, or rename the values',
    )


def test_sensors_with_different_values_may_share_a_token(read: Load, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SHARED.replace("KEY", "voltage"))
    site = load_site(tmp_path / "site.toml")
    found = read(f'[sensors]\nmain-meter = "{SECRET}"\nroof = "R"\nsoil = "{SECRET}"', site)
    assert found.sensors["main-meter"] == found.sensors["soil"]
    assert found.warnings == (
        "credentials.toml:4: sensors.soil: has the credential of sensors.main-meter: one device in "
        "ThingsBoard shows the values of both; if that is not meant, give each its own",
    )


@pytest.mark.parametrize("secret", sorted(EXAMPLES))
def test_the_text_of_an_example_is_no_secret(secret: str, read: Load, site: Site) -> None:
    text = f'[sensors]\nsoil = "{secret}"\n[provisioning]\ndevice_key = "{secret}"\ndevice_secret = "s"\n'
    with pytest.raises(ConfigError) as raised:
        read(text, site)
    assert [mistake.partition(", copy")[0] for mistake in raised.value.mistakes] == [
        "credentials.toml:2: sensors.soil: this is the example's text",
        "credentials.toml:4: provisioning.device_key: this is the example's text",
    ]


def test_the_mistakes_of_both_files_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(GOOD.replace("lanes = 2", "lanes = 9"))
    (tmp_path / "credentials.toml").write_text("[sensors]\nsoil = 1")
    (tmp_path / "credentials.toml").chmod(0o600)
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "site.toml", tmp_path / "credentials.toml")
    assert [mistake.split(": ")[0] for mistake in raised.value.mistakes] == [
        f"{tmp_path}/site.toml:5",
        f"{tmp_path}/credentials.toml:2",
    ]


def test_both_files_are_loaded_together(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(GOOD)
    (tmp_path / "credentials.toml").touch(mode=0o600)
    site, credentials = load(tmp_path / "site.toml", tmp_path / "credentials.toml")
    assert (site.name, credentials.sensors) == ("barn-7", {})


def test_a_pending_token_is_kept_apart_from_those_in_use(read: Load, site: Site) -> None:
    found = read(f'[sensors]\nroof = "R"\nmain-meter = "M"\n[pending]\nsoil = "{SECRET}"', site)
    assert found.warnings == (
        "credentials.toml:5: pending.soil: its readings wait: go on with `serial-bridge provision`",
    )
    assert found.sensors == {"roof": Token("R"), "main-meter": Token("M")}
    assert found.pending == {"soil": Token(SECRET)}


@pytest.mark.parametrize("text", [f'pending = "{SECRET}"', f"[pending]\nsoil = ['{SECRET}']"])
def test_what_cannot_be_pending_is_named_without_the_secret(text: str, read: Load) -> None:
    with pytest.raises(ConfigError, match="pending") as raised:
        read(text)
    assert SECRET not in str(raised.value)
