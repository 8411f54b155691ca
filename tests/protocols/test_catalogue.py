"""The catalogue: each name leads to its protocol, and to no other."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from protocols import CATALOGUE, load, names

BUILDS_ON = {"dsmr_encrypted": {"dsmr", "dlms", "iec62056_21"}, "dsmr": {"iec62056_21"}}
"""Protocols that are found in the frames of another one, or share its data format."""

_LOAD = """
import sys
from protocols import load
load(sys.argv[1])
print(*{name.split(".")[1] for name in sys.modules if name.startswith("protocols.")})
"""


def test_every_name_leads_to_the_protocol_of_that_name() -> None:
    assert [load(name).name for name in CATALOGUE] == list(CATALOGUE)
    assert set(CATALOGUE) <= set(names())


def test_every_protocol_stands_in_the_file_of_its_name() -> None:
    """Nobody looks for a protocol in a file that is called like none."""
    for module, _ in CATALOGUE.values():
        spec = find_spec(module)
        assert spec is not None, module
        assert not module.endswith((".entry", ".record", ".protocol")), module


@pytest.mark.parametrize("name", CATALOGUE)
def test_loading_a_protocol_imports_no_other(name: str) -> None:
    command = [sys.executable, "-c", _LOAD, name]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    own_package = CATALOGUE[name][0].split(".")[1]
    assert set(loaded) == {"toolkit", own_package} | BUILDS_ON.get(own_package, set())


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        load("modbus")
