"""A protocol of another package, installed as people install one, and used by the real command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end

EXAMPLE = Path(__file__).parents[1] / "example_protocol"
FRAME = bytes.fromhex("59 59 96 00 B0 04 A0 08 A4")  # 150 cm, 1200, 0x08A0 / 8 - 256 = 20 °C
SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1"

[bus.gate]
adapter = "/dev/ttyAMA0"
protocol = "tfmini-plus"

[[bus.gate.sensor]]
name = "gate"
only = ["distance"]
"""


@dataclass
class Machine:
    """A folder of packages beside the real command, and a site."""

    folder: Path
    packages: list[Path] = field(default_factory=list)

    def install(self, source: Path) -> None:
        """Have pip build and install a package, without any index."""
        target = self.folder / f"packages-{len(self.packages)}"
        options = [
            "--no-index",
            "--no-deps",
            "--no-build-isolation",
            "--disable-pip-version-check",
            "--quiet",
        ]
        arguments = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        self.packages.append(target)

    def bring(self, package: str, name: str, module: str, text: str) -> None:
        """Put a package there as an installer leaves it: a module and its metadata."""
        target = self.folder / package
        metadata = target / f"{package}-0.1.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n")
        (metadata / "entry_points.txt").write_text(f"[serial_bridge.protocols]\n{name} = {module}:PROTOCOL\n")
        (target / f"{module}.py").write_text(text)
        self.packages.append(target)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `serial-bridge` to its end."""
        site, credentials = self.folder / "site.toml", self.folder / "credentials.toml"
        site.write_text(SITE)
        credentials.touch(mode=0o600)
        return subprocess.run(
            [sys.executable, "-m", "bridge", *arguments],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(map(str, self.packages)),
                "SERIAL_BRIDGE_SITE": str(site),
                "SERIAL_BRIDGE_CREDENTIALS": str(credentials),
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_example_is_installed_and_spoken(machine: Machine) -> None:
    source = machine.folder / "example"
    shutil.copytree(EXAMPLE, source)
    assert machine.command("check").returncode == 2
    machine.install(source)
    decoded = machine.command("decode", "tfmini-plus", f"00{FRAME.hex()}", "--json")
    noise, frame = map(json.loads, decoded.stdout.splitlines())
    assert noise["noise"] == "00"
    assert frame["fields"] == {"distance": 150, "strength": 1200, "temperature": 20.0}
    checked = machine.command("check")
    assert checked.returncode == 0, checked.stderr
    assert "bus gate: tfmini-plus at 115200 8N1" in checked.stdout
    listed = json.loads(machine.command("protocols", "--json").stdout)
    assert listed[-1] == {
        "name": "tfmini-plus",
        "title": "Benewake TFmini Plus",
        "spec": "TFmini Plus data sheet SJ-GU-TFmini-Plus-01 A00",
        "line": "115200 8N1",
        "asked": False,
        "models": 0,
        "package": "serial-bridge-tfmini-plus",
        "version": "1.2.0",
    }
    schema = json.loads(machine.command("schema").stdout)
    assert "tfmini-plus" in schema["$defs"]["Bus"]["properties"]["protocol"]["enum"]


BROKEN = {
    "import nowhere_to_be_found": "cannot be loaded (ModuleNotFoundError: No module named",
    "def PROTOCOL(:": "cannot be loaded (SyntaxError",
    "raise SystemExit(3)": "cannot be loaded (SystemExit: 3)",
    "": "cannot be loaded (AttributeError",
    "PROTOCOL = 7": "leads to no protocol but 7",
    "from protocols.sds011 import PROTOCOL": 'leads to a protocol named "sds011"',
}


def test_a_broken_package_is_one_sentence(machine: Machine) -> None:
    for number, text in enumerate(BROKEN):
        machine.bring(f"acme{number}", f"probe-{number}", f"acme{number}", text)
    machine.bring("acme", "tfmini-plus", "acme", "raise ValueError")
    listed = machine.command("protocols")
    assert (listed.returncode, listed.stderr) == (0, "")
    for number, told in enumerate(BROKEN.values()):
        assert f'not used: acme{number} 0.1: "probe-{number}" {told}' in listed.stdout
    what = "cannot be loaded (ValueError: without a word), update or uninstall the package"
    told = f'acme 0.1: "tfmini-plus" {what}'
    for asked in (("decode", "tfmini-plus", "00"), ("protocols", "tfmini-plus")):
        done = machine.command(*asked)
        assert (done.returncode, done.stderr) == (2, f"{told}\n")
    checked = machine.command("check")
    assert checked.returncode == 2
    assert checked.stderr == f"{machine.folder / 'site.toml'}:8: bus.gate.protocol: {told}\n"
    assert machine.command("schema").returncode == 0


def test_what_ships_is_not_replaced_and_one_name_is_not_brought_twice(machine: Machine) -> None:
    good = (EXAMPLE / "tfmini_plus.py").read_text()
    machine.bring("acme", "tfmini-plus", "acme", good)
    machine.bring("other", "tfmini-plus", "other", good)
    machine.bring("shadow", "sds011", "shadow", good.replace("tfmini-plus", "sds011"))
    rows = {
        (row["name"], row["package"]): row
        for row in json.loads(machine.command("protocols", "--json").stdout)
    }
    assert rows["sds011", None]["title"].startswith("Nova")
    assert rows["sds011", "shadow"]["error"] == (
        'shadow 0.1: brings "sds011", which ships with the bridge and is used; it needs another name'
    )
    both = 'acme 0.1 and other 0.1: all bring "tfmini-plus", uninstall all but one'
    assert rows["tfmini-plus", "acme"]["error"] == rows["tfmini-plus", "other"]["error"] == both
    assert machine.command("check").stderr.endswith(f"site.toml:8: bus.gate.protocol: {both}\n")
    decoded = machine.command("decode", "sds011", "aac0d4043a0aa1601dab", "--json")
    assert json.loads(decoded.stdout)["fields"]["id"] == "a160"
