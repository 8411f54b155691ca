"""What a service holds while it runs: nothing that only a person, or another service, needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.lean_imports import absent
from tests.benchmarks.services import Services, rss_mb, site, until
from tests.support.certificates import Authority

pytestmark = pytest.mark.end_to_end

OF_A_PERSON = {"typer", "rich", "tomlkit", "bridge.commands", "bridge.simulator", "pydantic", "pcapng"}
IDLE = {
    "ssl",
    "_hashlib",
    "difflib",
    "importlib.metadata",
    "importlib.resources",
    "multiprocessing",
    "pdb",
    "pickle",
    "tempfile",
    "zipfile",
}
SECRETS = {"bridge.config.credentials", "bridge.certificates", "cryptography", "OpenSSL"}
READING = {"bridge.reader", "bridge.port", "bridge.line", "serial", "serial_asyncio"}
DELIVERY = {"bridge.uplink", "bridge.coap", "aiocoap"}
ABSENT = {
    "read": OF_A_PERSON | IDLE | SECRETS | DELIVERY | {"bridge.config.schema", "protocols.mbus"},
    "uplink": OF_A_PERSON | IDLE | READING | {"cryptography", "OpenSSL", "bridge.config.schema"},
    "run": OF_A_PERSON | IDLE | {"cryptography", "OpenSSL", "bridge.config.schema"},
}
MOST_RSS_MB = {"read": 32, "uplink": 34, "run": 36}
OF_COAPS_MB = 48


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with site(tmp_path, every="100ms") as services:
        yield services


def is_up(services: Services) -> bool:
    """Return whether a reader has asked its sensors, or the uplink has published how it does."""
    return services.buses["bus0"].requests.total() > 3 or any(services.runtime.glob("**/uplink.json"))


@pytest.mark.parametrize("name", ABSENT)
def test_a_service_loads_only_what_it_runs(name: str, services: Services) -> None:
    bus = ["bus0"] * (name == "read")
    with (services.folder / "imports").open("wb") as imports:
        services.start(name, *bus, options=["-X", "importtime"], log=imports)
        until(lambda: is_up(services))
        services.stop()
    lines = (services.folder / "imports").read_text().splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "bridge.gateway" in loaded
    assert {module for module in loaded if any(f"{module}.".startswith(f"{no}.") for no in ABSENT[name])} == (
        {"ssl", "_hashlib"} & loaded  # -X importtime names them too where they were looked for in vain
    )


@pytest.mark.parametrize("name", MOST_RSS_MB)
def test_a_service_fits_a_small_gateway(name: str, services: Services) -> None:
    bus = ["bus0"] * (name == "read")
    services.start(name, *bus)  # compiles its modules, which costs memory
    until(lambda: is_up(services))
    services.stop()
    services.buses["bus0"].requests.clear()
    pid = services.start(name, *bus)
    until(lambda: is_up(services))
    used_mb = rss_mb(pid)
    assert used_mb <= MOST_RSS_MB[name]


def test_an_uplink_that_encrypts_fits_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with site(tmp_path, url="coaps://127.0.0.1:9", keys=f'ca = "{authority.path}"\n') as services:
        for _ in range(2):
            pid = services.start("uplink")
            until(lambda: is_up(services))
            used_mb = rss_mb(pid)
            services.stop()
    assert used_mb <= OF_COAPS_MB


def test_what_is_absent_for_one_import_is_there_for_the_next() -> None:
    code = """
from bridge.lean_imports import absent
with absent("ssl", "json"):
    import asyncio
    try:
        import json
    except ModuleNotFoundError:
        print("absent")
from asyncio import sslproto
import json, ssl
print(sslproto.ssl, ssl.OPENSSL_VERSION_INFO > (1,), json.dumps([]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "absent\nNone True []\n"


def test_what_is_postponed_is_loaded_when_it_is_used() -> None:
    code = """
import sys
from bridge.lean_imports import postpone
postpone("pickle", "pdb", "sys")
import pickle, pickle as again
from construct import Byte, Pickled
print("_compat_pickle" in sys.modules, "bdb" in sys.modules)
print(pickle.loads(pickle.dumps([1])), Pickled.parse(again.dumps(2)), hasattr(pickle, "relish"))
import pickle
print(sys.modules["pickle"].__spec__ is not None, pickle.HIGHEST_PROTOCOL > 0, "bdb" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False False\n[1] 2 False\nTrue True False\n"


def test_what_was_imported_before_stays() -> None:
    with absent("sys", "subprocess"):
        assert sys.modules["subprocess"] is subprocess
    assert sys.modules["subprocess"] is subprocess
