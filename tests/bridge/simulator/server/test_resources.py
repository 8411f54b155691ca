"""The stand-in's resources: what is stored, refused and given back."""

from __future__ import annotations

import json
import time

import pytest

from bridge.simulator.server import message as coap
from bridge.simulator.server.stand_in import StandIn
from tests.bridge.simulator.server.raw_client import (
    READING,
    TELEMETRY,
    Client,
)


async def test_what_was_posted_is_stored_by_token_key_and_timestamp(server: StandIn, client: Client) -> None:
    before = time.monotonic()
    await client.ask(b'[{"ts":1000,"values":{"a":1,"b":true}},{"ts":2000,"values":{"a":2.5}}]')
    await client.ask(b'{"ts":1000,"values":{"a":1}}', ("api", "v1", "A2", "TELEMETRY"))
    assert server.stored == {"A1": {"a": {1000: 1, 2000: 2.5}, "b": {1000: True}}, "A2": {"a": {1000: 1}}}
    received = server.received
    assert (received.posts, received.entries, received.values, received.duplicates) == (2, 3, 4, 0)
    assert received.entries_of == {"A1": 2, "A2": 1}
    assert [(token, ts) for _, token, ts in server.arrivals] == [("A1", 1000), ("A1", 2000), ("A2", 1000)]
    assert before <= server.arrivals[0].at <= server.arrivals[-1].at <= time.monotonic()
    assert server.posts[1].payload == b'{"ts":1000,"values":{"a":1}}'


async def test_a_flat_object_gets_the_servers_time(server: StandIn, client: Client) -> None:
    before = time.time() * 1000
    await client.ask(b"{temperature:25}")
    (ts,) = server.stored["A1"]["temperature"]
    assert before - 1 <= ts <= time.time() * 1000


async def test_a_repeated_reading_overwrites_and_is_counted(server: StandIn, client: Client) -> None:
    for payload in (READING, READING, b'{"ts":1000,"values":{"voltage":1}}'):
        await client.ask(payload)
    assert server.stored == {"A1": {"voltage": {1000: 1}}}
    assert (server.received.duplicates, server.received.conflicts) == (2, 1)


@pytest.mark.parametrize(("payload", "code"), [(b'[{"ts":1,"values":{"a":1}},7]', "4.00"), (b"", "4.00")])
async def test_one_bad_entry_refuses_the_batch(
    payload: bytes, code: str, server: StandIn, client: Client
) -> None:
    assert await client.ask(payload) == (code, b"")
    assert server.stored == {}
    assert server.received.posts == 0


async def test_a_timestamp_that_is_no_number_is_an_internal_error(client: Client) -> None:
    assert await client.ask(b'{"ts":"x","values":{"a":1}}') == ("5.00", b"")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        (coap.POST, ("api", "v1", "nobody", "telemetry"), "4.01"),
        (coap.POST, ("api", "v1", "gateway", "telemetry"), "4.01"),
        (coap.POST, ("api", "v1", "telemetry"), "4.01"),
        (coap.POST, ("api", "v1", "A1", "weather"), "4.00"),
        (coap.POST, ("api", "v1"), "4.00"),
        (coap.GET, TELEMETRY, "4.00"),
        (coap.GET, ("api", "v1", "A1", "attributes"), "4.04"),
        (0x03, TELEMETRY, "4.05"),
        (0x04, TELEMETRY, "4.05"),
        (coap.POST, ("api",), "4.05"),
        (coap.POST, ("v1", "A1", "telemetry"), "4.04"),
        (coap.POST, ("api", "v2", "A1", "telemetry"), "4.04"),
        (coap.POST, ("api", "V1", "A1", "telemetry"), "4.04"),
        (coap.POST, (), "4.05"),
        (coap.POST, ("fw",), "4.05"),
        (coap.POST, (".well-known", "core"), "4.05"),
    ],
)
async def test_other_paths_and_methods_are_refused(
    method: int, path: tuple[str, ...], code: str, client: Client
) -> None:
    assert await client.ask(READING, path, code=method) == (code, b"")


async def test_attributes_are_kept_and_given_back(server: StandIn, client: Client) -> None:
    path = ("api", "v1", "A1", "attributes")
    assert await client.ask(b'{"firmware":"2.04","n":1}', path) == ("2.01", b"")
    assert server.api.attributes == {"A1": {"firmware": 2.04, "n": 1}}
    code, body = await client.ask(b"", path, code=coap.GET)
    assert (code, json.loads(body)) == ("2.05", {"client": {"firmware": 2.04, "n": 1}})
    code, body = await client.ask(b"", path, code=coap.GET, query=("clientKeys=n,x",))
    assert (code, json.loads(body)) == ("2.05", {"client": {"n": 1}})
    assert await client.ask(b"", path, code=coap.GET, query=("clientKeys=x",)) == ("4.04", b"")
    assert await client.ask(b'[{"n":1}]', path) == ("4.00", b"")


async def test_the_servers_clock_can_be_asked(client: Client) -> None:
    code, body = await client.ask(b"", ("efento", "t"), code=coap.GET)
    assert code == "2.05"
    assert abs(int.from_bytes(body, "big") - time.time()) < 5
    assert len(body) == 4


async def test_points_beyond_the_rate_limit_are_an_internal_error_and_not_stored(
    server: StandIn, client: Client
) -> None:
    server.api.rate_limit = "3:1000"
    two = b'{"ts":%d,"values":{"a":1,"b":2}}'
    assert await client.ask(two % 1) == ("2.01", b"")
    assert await client.ask(two % 2) == ("5.00", b"")
    assert await client.ask(READING) == ("2.01", b"")  # all or nothing: the one left was not taken
    assert await client.ask(two % 3, ("api", "v1", "A2", "telemetry")) == ("2.01", b"")
    assert sorted(server.stored["A1"]["a"]) == [1]
    server.api.rate_limit = None
    assert await client.ask(two % 2) == ("2.01", b"")


PROVISION = ("api", "v1", "provision")


def provision(**wishes: str) -> bytes:
    return json.dumps({"provisionDeviceKey": "key", "provisionDeviceSecret": "secret", **wishes}).encode()


async def test_a_device_is_provisioned_once(client: Client) -> None:
    wish = provision(deviceName="soil", token="0042")
    code, body = await client.ask(wish, PROVISION)
    assert code == "2.01"
    assert json.loads(body) == {
        "credentialsType": "ACCESS_TOKEN",
        "credentialsValue": "0042",
        "status": "SUCCESS",
    }
    assert await client.ask(READING, ("api", "v1", "0042", "telemetry")) == ("2.01", b"")
    code, body = await client.ask(wish, PROVISION)
    assert (code, json.loads(body)["status"]) == ("4.00", "FAILURE")
    code, body = await client.ask(provision(deviceName="roof", token="0042"), PROVISION)
    assert (code, json.loads(body)["status"]) == ("4.00", "FAILURE")


async def test_a_device_that_brings_no_token_is_given_one(client: Client) -> None:
    _, body = await client.ask(provision(), PROVISION)
    assert await client.ask(READING, ("api", "v1", json.loads(body)["credentialsValue"], "telemetry")) == (
        "2.01",
        b"",
    )


async def test_wrong_provisioning_is_refused(client: Client) -> None:
    code, body = await client.ask(provision(provisionDeviceSecret="x"), PROVISION)
    assert (code, json.loads(body)["status"]) == ("4.00", "NOT_FOUND")
    assert await client.ask(b'{"provisionDeviceKey":"key"}', PROVISION) == ("4.00", b"")
    assert await client.ask(b"\x0a\x03", PROVISION) == ("4.00", b"")


@pytest.mark.parametrize("path", [(), (".well-known", "core")])
async def test_the_root_tells_that_it_is_thingsboard(path: tuple[str, ...], client: Client) -> None:
    code, links = await client.ask(b"", path, code=coap.GET)
    assert code == "2.05"
    assert b"</api/v1>;obs" in links
