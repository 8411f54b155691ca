"""Provisioning against servers that answer anything: what becomes of each sensor, and of the file."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.coap import Refused
from bridge.commands.provision.provisioning import (
    COMPLETED,
    CREATED,
    FAILED,
    FOUND,
    Outcome,
    ProvisioningRefused,
    planned,
    provision,
)
from bridge.config import Site, load_site
from bridge.errors import ConfigError
from bridge.simulator.server.stand_in import StandIn
from tests.bridge.coap import peer as coap
from tests.bridge.coap.peer import ACK, BAD_REQUEST, Packet, peer, until
from tests.support.provisioning import CREDENTIALS, KEY, SECRET, names, site_of

SERVER_ERROR = 0xA0


class Gateway:
    """A folder with both files, and what provisioning said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "credentials.toml"
        self.path.touch(mode=0o600)
        self.path.write_text(CREDENTIALS)
        self.told: list[Outcome] = []
        self.missing: list[int] = []

    def site(self, count: int, port: int) -> Site:
        file = self.folder / "site.toml"
        file.write_text(site_of(count, port).replace("{folder}", str(self.folder)))
        return load_site(file)

    async def provision(self, count: int, port: int, prefix: str = "") -> dict[str, str]:
        """Run it; the result of each sensor."""
        self.told.clear()
        site = self.site(count, port)
        outcomes = await provision(
            site, self.path, prefix, begin=self.missing.append, report=self.told.append
        )
        assert outcomes == self.told
        return {outcome.sensor: outcome.result for outcome in outcomes}

    def table(self, name: str) -> dict[str, str]:
        found: dict[str, str] = tomllib.loads(self.path.read_text()).get(name, {})
        return found


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    found = StandIn(provisioning=(KEY, SECRET))
    await found.start()
    yield found
    await found.stop()


async def test_the_gateways_own_device_is_created_with_the_others(gateway: Gateway, server: StandIn) -> None:
    text = site_of(2, server.port).replace("{folder}", str(gateway.folder))
    (gateway.folder / "site.toml").write_text(re.sub('(url = ".*")', '\\1\\ngateway = "gate"', text, count=1))
    site = load_site(gateway.folder / "site.toml")
    await provision(site, gateway.path, begin=gateway.missing.append, report=gateway.told.append)
    assert {outcome.sensor: outcome.result for outcome in gateway.told} == dict.fromkeys(
        (*names(2), "gate"), CREATED
    )
    assert gateway.table("sensors")["gate"] in server.tokens


def body(code: int, document: dict[str, Any]) -> Any:
    """A server that answers every request so."""
    text = b"\xff" + json.dumps(document).encode()
    return lambda request: [Packet(ACK, code, request.mid, request.token, text)]


async def test_each_sensor_without_a_credential_gets_a_token_that_works(
    gateway: Gateway, server: StandIn
) -> None:
    gateway.path.write_text(f'[sensors]\nsensor-02 = "BY-HAND"\n\n{CREDENTIALS}')
    assert await gateway.provision(3, server.port) == {"sensor-01": CREATED, "sensor-03": CREATED}
    tokens = gateway.table("sensors")
    assert list(tokens) == ["sensor-02", "sensor-01", "sensor-03"]
    assert server.tokens == {tokens["sensor-01"], tokens["sensor-03"]}
    assert all(len(token) >= 20 for token in server.tokens)
    assert gateway.table("pending") == {}
    assert "# from the profile's page" in gateway.path.read_text()


async def test_a_second_run_asks_nobody(gateway: Gateway, server: StandIn) -> None:
    await gateway.provision(2, server.port)
    before, asked = gateway.path.read_bytes(), server.datagrams
    assert await gateway.provision(2, server.port) == {}
    assert gateway.missing == [2, 0]
    assert (gateway.path.read_bytes(), server.datagrams) == (before, asked)


async def test_what_was_cut_short_is_completed_by_the_next_run(gateway: Gateway, server: StandIn) -> None:
    server.faults.loss_out = 1.0
    running = asyncio.create_task(gateway.provision(3, server.port))
    await until(lambda: server.tokens)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert set(gateway.table("pending")) == set(names(3))
    assert server.tokens == {gateway.table("pending")["sensor-01"]}
    server.faults.loss_out = 0.0
    found = await gateway.provision(3, server.port)
    assert found == {"sensor-01": COMPLETED, "sensor-02": CREATED, "sensor-03": CREATED}
    assert server.tokens == set(gateway.table("sensors").values())
    assert gateway.table("pending") == {}


async def test_a_wrong_key_is_said_after_one_request(gateway: Gateway, server: StandIn) -> None:
    server.api.provisioning = (KEY, "another")
    with pytest.raises(ProvisioningRefused, match=r"NOT_FOUND.*strategy") as raised:
        await gateway.provision(3, server.port)
    assert SECRET not in str(raised.value)
    assert server.received.answers == {"4.00": 1}
    assert gateway.table("sensors") == {}


async def test_a_name_that_is_taken_fails_alone(gateway: Gateway, server: StandIn) -> None:
    await gateway.provision(1, server.port)
    gateway.path.write_text(CREDENTIALS)
    assert await gateway.provision(2, server.port) == {"sensor-01": FAILED, "sensor-02": CREATED}
    assert "--prefix" in gateway.told[0].reason
    assert gateway.table("pending").keys() == {"sensor-01"}
    assert await gateway.provision(2, server.port, "barn ") == {"sensor-01": CREATED}
    assert gateway.told[0].device == "barn sensor-01"


async def test_a_device_made_beforehand_keeps_its_own_token(gateway: Gateway) -> None:
    answer = {"credentialsType": "ACCESS_TOKEN", "credentialsValue": "ITS-OWN", "status": "SUCCESS"}
    async with peer(body(coap.CREATED, answer)) as server:
        assert await gateway.provision(1, server.port) == {"sensor-01": FOUND}
    assert gateway.table("sensors") == {"sensor-01": "ITS-OWN"}


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [("X509_CERTIFICATE", "MIIB", "certificate and key"), ("ACCESS_TOKEN", "a/b", "cannot hold a /")],
)
async def test_a_device_without_a_usable_token_fails_with_what_to_do(
    kind: str, value: str, said: str, gateway: Gateway
) -> None:
    answer = {"credentialsType": kind, "credentialsValue": value, "status": "SUCCESS"}
    async with peer(body(coap.CREATED, answer)) as server:
        assert await gateway.provision(1, server.port) == {"sensor-01": FAILED}
    assert said in gateway.told[0].reason
    assert gateway.table("sensors") == {}


@pytest.mark.parametrize(
    ("code", "answer", "said"),
    [
        (SERVER_ERROR, {}, "strategy is to create new devices"),
        (BAD_REQUEST, {}, "does not provision"),
        (0x84, {"status": 3}, "CoAP port"),
    ],
)
async def test_a_server_that_does_not_provision_is_said_in_one_sentence(
    code: int, answer: dict[str, Any], said: str, gateway: Gateway
) -> None:
    async with peer(body(code, answer)) as server:
        with pytest.raises(ProvisioningRefused, match=said):
            await gateway.provision(2, server.port)
        assert len(server.requests) == 1


async def test_a_server_that_is_not_there_leaves_everything_pending(
    gateway: Gateway, server: StandIn
) -> None:
    await server.stop()
    with pytest.raises(Refused):
        await gateway.provision(2, server.port)
    assert set(gateway.table("pending")) == set(names(2))


async def test_without_the_keys_it_says_where_they_are(gateway: Gateway, server: StandIn) -> None:
    gateway.path.write_text("[sensors]\n")
    with pytest.raises(ConfigError, match=r"no \[provisioning\].*device profile"):
        await gateway.provision(1, server.port)


async def test_a_dry_run_changes_nothing_and_asks_nobody(gateway: Gateway, server: StandIn) -> None:
    before = gateway.path.read_bytes()
    found = planned(gateway.site(2, server.port), gateway.path, "barn ")
    assert [outcome.device for outcome in found] == ["barn sensor-01", "barn sensor-02"]
    assert (gateway.path.read_bytes(), server.datagrams) == (before, 0)
