"""What a right site.toml becomes."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import protocols
from bridge.commands.check.summary import shared_ports
from bridge.config import RS485, Bus, Sensor, Site, load_site
from bridge.config.places import parse_url
from bridge.errors import ConfigError
from bridge.port.adapter import Adapter
from protocols.toolkit.polling import LineSettings
from tests.bridge.config.conftest import GOOD, SITES, Mistakes
from tests.support.site import site_head


def load(folder: Path, text: str) -> Site:
    (folder / "site.toml").write_text(text)
    return load_site(folder / "site.toml")


def test_every_key_arrives_in_its_own_unit() -> None:
    site = load_site(SITES / "good.toml")
    meters = site.buses["meters"]
    main, soil = meters.sensors
    assert (site.name, site.path, site.warnings) == ("barn-7", SITES / "good.toml", ())
    assert (site.thingsboard.scheme, site.thingsboard.host, site.thingsboard.port) == (
        "coap",
        "tb.example.com",
        5683,
    )
    assert (site.spool.limit, site.spool.commit_every_s, site.clock.trust) == (500_000_000, 0.3, "system")
    assert (meters.name, meters.adapter, meters.protocol) == (
        "meters",
        "serial:AB0JPQ7X",
        protocols.load("made-up"),
    )
    assert meters.rs485 == RS485(delay_before_send_s=0.001)
    assert (main.name, main.bus, main.every_s, main.publish) == ("main-meter", "meters", 10.0, "always")
    assert (soil.every_s, soil.publish, soil.deadband, soil.at_least_s) == (0.0, "change", 0.5, 600.0)
    assert list(site.sensors) == ["main-meter", "soil", "roof"]


def test_what_is_not_written_has_its_default(tmp_path: Path) -> None:
    site = load(tmp_path, 'site = "x"\n[thingsboard]\nurl = "coaps://[2001:db8::1]"')
    assert (site.thingsboard.host, site.thingsboard.port) == ("2001:db8::1", 5684)
    assert (site.thingsboard.lanes, site.thingsboard.timestamps) == (4, "gateway")
    assert site.spool.path == Path("/var/lib/serial-bridge/spool.db")
    assert (site.spool.limit, site.spool.commit_every_s) == (1_000_000_000, 2.0)
    assert (site.clock.trust, site.buses) == ("auto", {})


def test_a_sensor_takes_from_its_bus_what_it_does_not_say() -> None:
    main, soil = load_site(SITES / "good.toml").buses["meters"].sensors
    assert (main.reply_timeout_s, main.retries) == (0.3, 3)
    assert (soil.reply_timeout_s, soil.retries) == (0.3, 1)


def test_the_line_is_the_protocols_where_its_specification_fixes_it(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).buses["roof"].line == LineSettings(2400, parity="E")
    own = GOOD.replace('protocol = "made-up-fixed"', 'protocol = "made-up-fixed"\nline = "1200 8O1"')
    assert load(tmp_path, own).buses["roof"].line == LineSettings(1200, parity="O")


def test_a_sensors_own_keys_are_what_its_protocol_makes_of_them() -> None:
    soil = load_site(SITES / "good.toml").sensors["soil"]
    assert soil.settings == protocols.load("made-up").settings(
        {"address": 2, "registers": {"temperature": {"at": 0}, "moisture": {"at": 1}}}
    )


def test_one_address_may_serve_several_sensors(tmp_path: Path) -> None:
    site = load(tmp_path, GOOD.replace("address = 2", "address = 1"))
    assert [each.settings.address for bus in site.buses.values() for each in bus.sensors] == [
        "1",
        "1",
        "1",
    ]


def test_paths_begin_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "ca.pem").touch()
    text = GOOD.replace("coap://tb.example.com", "coaps://tb.example.com").replace(
        "lanes = 2", 'ca = "ca.pem"'
    )
    site = load(tmp_path, text.replace("/var/lib/serial-bridge/spool.db", "spool/spool.db"))
    assert site.thingsboard.ca == tmp_path / "ca.pem"
    assert site.spool.path == tmp_path / "spool" / "spool.db"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("serial:AB0JPQ7X", "/dev/ttyUSB0", 16, "may be another adapter tomorrow"),
        ("tb.example.com", "tb.example.com:5684", 4, "not the usual one of coap://"),
        ("/var/lib/serial-bridge", "/run/bridge", 8, "lost at the next reboot"),
        (GOOD[GOOD.index("[[bus.roof") :], "", 39, "no sensor yet"),
        (GOOD[GOOD.index("[bus.") :], "", 1, "no bus yet"),
    ],
)
def test_what_is_odd_but_allowed_is_a_warning(
    old: str, new: str, line: int, words: str, tmp_path: Path
) -> None:
    (warning,) = load(tmp_path, GOOD.replace(old, new)).warnings
    assert warning.startswith(f"{tmp_path}/site.toml:{line}: ")
    assert words in warning


def test_a_register_by_the_datasheets_number_is_a_warning(tmp_path: Path) -> None:
    bus = """[bus.meters]
adapter = "serial:AB0JPQ7X"
protocol = "modbus-rtu"
line = "9600 8N1"
[[bus.meters.sensor]]
name = "main-meter"
address = 1
every = "1m"
[bus.meters.sensor.registers]
right = { modicon = 40001 }
edges = { holding = 40000 }
above = { input = 40001 }
power = { holding = 40001 }
state = { input = 39999 }
"""
    found = load(tmp_path, GOOD.partition("[bus.")[0] + bus).warnings
    place = f"{tmp_path}/site.toml:{{}}: bus.meters.sensor[1].registers."
    told = "{0} looks like the datasheet's number: write modicon = {0}"
    assert found == (
        f"{place.format(27)}power.holding: {told.format(40001)}",
        f"{place.format(28)}state.input: {told.format(39999)}",
    )


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("coap://tb", ("coap", "tb", 5683)),
        ("coaps://tb.example.com/", ("coaps", "tb.example.com", 5684)),
        ("COAP://10.0.0.1:1", ("coap", "10.0.0.1", 1)),
        ("coap://[::1]:65535", ("coap", "::1", 65535)),
        ("coap://my_host.local.:5683", ("coap", "my_host.local.", 5683)),
    ],
)
def test_a_server_is_a_host_with_or_without_its_port(url: str, parts: tuple[str, str, int]) -> None:
    assert parse_url(url) == parts


@pytest.mark.parametrize("port", ["", "0", "x", "65536", "-1", "5683:5683"])
@pytest.mark.parametrize("host", ["tb", "[::1]"])
def test_a_port_is_a_number_of_udp(host: str, port: str) -> None:
    with pytest.raises(ValueError, match=r"port|HOST:PORT"):
        parse_url(f"coap://{host}:{port}")


@pytest.mark.parametrize("host", ["", "/", "[]", "[::1", "::1]", "[::1]x", "-tb", "a..b", "1.2.3", "a" * 64])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    with pytest.raises(ValueError, match=r"host|address|\[::1\]"):
        parse_url(f"coap://{host}")


@pytest.mark.parametrize(
    "adapter",
    [
        "serial:AB0JPQ7X",
        "serial:AB0JPQ7X:01",
        "path:pci-0000:00:14.0-usb-0:3:1.0",
        "/dev/ttyAMA0",
        "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A-if00-port0",
    ],
)
def test_an_adapter_is_a_serial_number_a_socket_or_a_path(adapter: str, tmp_path: Path) -> None:
    assert load(tmp_path, GOOD.replace("serial:AB0JPQ7X", adapter)).buses["meters"].adapter == adapter


def test_a_site_is_read_with_real_registers() -> None:
    site = load_site(SITES / "example.toml")
    bus = site.buses["meters"]
    assert bus.line == LineSettings(9600)
    assert [sensor.name for sensor in bus.sensors] == ["main-meter", "soil"]
    assert [sensor.settings.address for sensor in bus.sensors] == ["1", "2"]


def test_a_mistake_in_a_register_is_named_on_its_own_line(mistakes: Mistakes) -> None:
    text = (SITES / "example.toml").read_text()
    for right, wrong in (
        ("sdm630", "sdm63"),
        ("= 2\n", "= 300\n"),
        ('"int16"', '"int17"'),
        ("= 4 }", "= -4 }"),
    ):
        text = text.replace(right, wrong, 1)
    assert [re.sub(r"^site\.toml:(\d+): (\S+): .*", r"\1 \2", each) for each in mistakes(text)] == [
        "28 bus.meters.sensor[1].model",
        "33 bus.meters.sensor[2].address",
        "36 bus.meters.sensor[2].registers.temperature.type",
        "39 bus.meters.sensor[2].registers.alarm.discrete",
    ]


LINES = {"modbus-rtu": "9600 8N1", "dlt645": "2400 8E1", "mbus": "2400 8E1"}


@pytest.mark.parametrize(
    ("protocol", "keys"),
    [
        ("modbus-rtu", "address = 1\nregisters = { NAME = { holding = 0 } }"),
        (
            "dlt645",
            'address = "002311905387"\nidentifiers = { NAME = { di = "02010100", format = "XXX.X" } }',
        ),
        ("mbus", 'address = 1\nvalues = { NAME = "energy" }'),
    ],
)
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "a name cannot be empty"),
        (" ", "a name cannot be empty"),
        ("x ", "begins or ends with a space"),
        ("x" * 300, "has 300 characters, a name may have 255"),
        ("x\\u0007y", "an invisible character in the name"),
    ],
)
def test_a_value_has_a_name_that_people_see(
    protocol: str, keys: str, name: str, rule: str, mistakes: Mistakes
) -> None:
    head = site_head(adapter="/dev/null", protocol=protocol, line=LINES[protocol])
    sensor = '[[bus.meters.sensor]]\nname = "s"\nevery = "10s"\n' + keys.replace("NAME", f'"{name}"') + "\n"
    (mistake,) = mistakes(head + sensor)
    assert mistake.startswith("site.toml:")
    assert rule in mistake
    assert len(mistake) < 250


def test_rtu_has_eight_data_bits(mistakes: Mistakes) -> None:
    text = (SITES / "example.toml").read_text().replace("9600 8N1", "9600 7E1")
    assert [each.partition(": ")[2] for each in mistakes(text)] == [
        'bus.meters.line: Modbus RTU has 8 data bits, "9600 7E1" does not'
    ]


def test_in_code_the_tables_take_plain_numbers_and_cannot_be_changed() -> None:
    sensor = Sensor(name="a", bus="b", every_s=1, settings=None, reply_timeout_s=0.2)
    bus = Bus(
        name="b",
        adapter="/dev/x",
        protocol=protocols.load("made-up"),
        line=LineSettings(9600),
        sensors=(sensor,),
    )
    assert bus.sensors[0].reply_timeout_s == 0.2
    with pytest.raises(FrozenInstanceError):
        sensor.every_s = 2


def test_a_protocol_is_imported_only_when_a_bus_speaks_it() -> None:
    code = "import sys, bridge.config; print([name for name in sys.modules if 'modbus' in name])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


ONE_PORT = [
    ("/dev/ttyS0", "/dev//ttyS0"),
    ("/dev/ttyS0", "/dev/./ttyS0"),
    ("/dev/ttyS0", "/dev/pts/../ttyS0"),
    ("serial:A", "serial:A:0"),
    ("serial:A:1", "serial:A"),
    ("serial:A:1", "serial:A:01"),
    ("serial:A:a", "serial:A:0A"),
]
TWO_PORTS = [
    ("serial:A:0", "serial:A:1"),
    ("serial:A", "serial:B"),
    ("serial:A", "path:A"),
    ("/dev/a", "/dev/b"),
]


def with_ports(folder: Path, ports: tuple[str, str]) -> Path:
    buses = (
        f'[bus.bus{number}]\nadapter = "{port}"\nprotocol = "modbus-rtu"\nline = "9600 8N1"\n'
        for number, port in enumerate(ports)
    )
    path = folder / "site.toml"
    path.write_text('site = "s"\n[thingsboard]\nurl = "coap://127.0.0.1"\n' + "".join(buses))
    return path


@pytest.mark.parametrize("ports", ONE_PORT)
def test_one_port_in_two_spellings_is_no_port_of_two_buses(ports: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is also bus\.bus0\.adapter on line 5; two buses cannot share"):
        load_site(with_ports(tmp_path, ports))


def test_a_link_to_a_port_is_that_port(tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to("/dev/ttyS0")
    with pytest.raises(ConfigError, match="two buses cannot share a port"):
        load_site(with_ports(tmp_path, ("/dev/ttyS0", str(tmp_path / "by-id"))))


@pytest.mark.parametrize("ports", TWO_PORTS)
def test_two_ports_are_two(ports: tuple[str, str], tmp_path: Path) -> None:
    assert len(load_site(with_ports(tmp_path, ports)).buses) == 2


def test_one_port_under_two_names_is_noticed_while_it_is_plugged_in(tmp_path: Path) -> None:
    socket = "pci-0000:00:06.0-usb-0:1:1.0"
    present = [Adapter(Path("/dev/ttyUSB0"), "AB0JPQ7X", 0, socket, "1-1")]
    for ports in (("serial:AB0JPQ7X", "/dev/ttyUSB0"), (f"path:{socket}", "serial:AB0JPQ7X")):
        site = load_site(with_ports(tmp_path, ports))
        (warning,) = shared_ports(site, present)
        assert f'bus.bus1.adapter: "{ports[1]}" is /dev/ttyUSB0, which is the port of bus bus0 too' in warning
        assert list(shared_ports(site, [])) == []


LISTENING = """\
site = "s"
[thingsboard]
url = "coap://h"
[bus.b]
adapter = "/dev/ttyS0"
protocol = "{protocol}"
line = "9600 8N1"
listen = true
[[bus.b.sensor]]
name = "n"
"""


def test_a_bus_may_only_listen(tmp_path: Path) -> None:
    text = LISTENING.format(protocol="modbus-rtu")
    (tmp_path / "site.toml").write_text(
        text + 'address = 1\nevery = "0s"\n[bus.b.sensor.registers]\nr = {{ holding = 0 }}\n'.format()
    )
    assert load_site(tmp_path / "site.toml").buses["b"].listen


def test_sensors_that_push_are_listened_to_anyhow(mistakes: Mistakes) -> None:
    assert mistakes(LISTENING.format(protocol="plantower")) == [
        "site.toml:8: bus.b.listen: the sensors of Plantower PMSx003 push: they are only listened to "
        "anyhow, leave this out"
    ]


def test_a_sensor_that_must_be_asked_for_its_registers_cannot_be_listened_to(mistakes: Mistakes) -> None:
    text = LISTENING.format(protocol="modbus-rtu") + 'address = 1\nevery = "0s"\nmodel = "sunspec"\n'
    assert mistakes(text) == [
        'site.toml:13: bus.b.sensor[1].model: "sunspec" must be asked for its registers, but this bus only '
        "listens: name its model, or its registers"
    ]


def test_a_sensor_that_pushes_is_not_asked_at_a_time_of_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    block = '[[bus.air.sensor]]\nname = "dust"\naligned = true\n'
    path.write_text(site_head("air", "plantower", "9600 8N1") + block)
    with pytest.raises(
        ConfigError, match=r"aligned: the sensors of .* push, so nothing is asked at a time of the clock"
    ):
        load_site(path)


def test_a_switch_that_is_off_may_stand_beside_any_interval(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    block = '[[bus.meters.sensor]]\nname = "a"\naddress = 1\nevery = "7m"\naligned = false\n'
    path.write_text(site_head() + block + 'model = "eastron-sdm630"\n')
    assert not load_site(path).sensors["a"].aligned
