"""What passes on a bus in service, shown to who listens in: all of it, and never at the reader's cost."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from bridge.captures import Direction, Record
from bridge.errors import PortLost
from bridge.port import Port
from bridge.reader.answer import Answer, empty_answer
from bridge.reader.attempt import Query
from bridge.reader.lending import Lender
from bridge.reader.tap import MOST_LISTENERS, MOST_UNSENT, QUESTION, Tap, listen_in
from bridge.status.runtime import Runtime

PAUSE_S = 0.1


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    return Runtime(tmp_path / "spool.db")


async def never(text: bytes) -> Answer:
    raise AssertionError(text)


@asynccontextmanager
async def served(runtime: Runtime, port: Port) -> AsyncIterator[None]:
    task = asyncio.create_task(Lender(runtime.listen("meters"), never, Tap(port)).run())
    try:
        yield
    finally:
        task.cancel()


def connected(runtime: Runtime) -> socket.socket:
    connection = runtime.connect("meters")
    assert connection is not None
    return connection


async def until_tapped(port: Port, is_tapped: bool = True) -> None:
    for _ in range(10_000):
        if (port.tap is not None) is is_tapped:
            return
        await asyncio.sleep(0.001)
    raise AssertionError


async def heard(connection: socket.socket) -> list[Record]:
    """Listen in to the end; return what was shown."""
    async with aclosing(listen_in(connection, "meters", PAUSE_S)) as tapped:
        return [record async for record in tapped if record.data]


async def test_who_listens_in_is_shown_both_directions_in_their_order(runtime: Runtime) -> None:
    port = Port()
    async with served(runtime, port), aclosing(listen_in(connected(runtime), "meters", PAUSE_S)) as tapped:
        pause = await anext(tapped)
        assert pause.data == b""
        await until_tapped(port)
        assert port.tap is not None
        port.tap(b"\x01\x03", Direction.SENT)
        port.tap(b"\x01\x83\x02", Direction.RECEIVED)
        records = [await anext(tapped), await anext(tapped)]
    assert records == [
        Record(records[0].at_us, b"\x01\x03", Direction.SENT),
        Record(records[1].at_us, b"\x01\x83\x02", Direction.RECEIVED),
    ]
    assert pause.at_us <= records[0].at_us <= records[1].at_us


async def test_nothing_is_tapped_before_the_first_and_after_the_last_listener(runtime: Runtime) -> None:
    port = Port()
    async with served(runtime, port):
        assert port.tap is None
        listeners = [connected(runtime) for _ in range(2)]
        for listener in listeners:
            listener.sendall(QUESTION)
        await until_tapped(port)
        listeners[0].close()
        await asyncio.sleep(0.01)
        assert port.tap is not None
        listeners[1].close()
        await until_tapped(port, False)


async def test_a_listener_that_takes_nothing_is_dropped_and_the_others_lose_nothing(runtime: Runtime) -> None:
    port, piece = Port(), bytes(range(256))
    async with served(runtime, port):
        stuck = connected(runtime)
        stuck.sendall(QUESTION)
        async with aclosing(listen_in(connected(runtime), "meters", PAUSE_S)) as tapped:
            await anext(tapped)
            await until_tapped(port)
            sent = shown = 0
            for _ in range(40 * MOST_UNSENT // len(piece) // 3):
                assert port.tap is not None
                port.tap(piece, Direction.RECEIVED)
                sent += len(piece)
                await asyncio.sleep(0)
                while sent - shown > 8192:
                    shown += len((await anext(tapped)).data)
            while shown < sent:
                shown += len((await anext(tapped)).data)
        stuck.setblocking(True)
        octets = 0
        while part := await asyncio.to_thread(stuck.recv, 1 << 20):
            octets += len(part)
        assert octets < 4 * MOST_UNSENT
        stuck.close()


async def test_one_listener_too_many_is_told_so_and_the_others_stay(runtime: Runtime) -> None:
    port = Port()
    async with served(runtime, port):
        listeners = [connected(runtime) for _ in range(MOST_LISTENERS)]
        for listener in listeners:
            listener.sendall(QUESTION)
        await until_tapped(port)
        await asyncio.sleep(0.05)
        with pytest.raises(PortLost, match=r"^bus meters: others listen in already"):
            await heard(connected(runtime))
        assert port.tap is not None
        for listener in listeners:
            listener.close()
        await until_tapped(port, False)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (b"", "has ended"),
        (b'{"t": 1.0, "dir": "rx", "he', "has ended"),
        (b'{"error": "no query: unexpected keyword"}\n', "no query"),
        (b'{"t": 1.0}\n', "shows nothing more"),
        (b"nonsense\n", "shows nothing more"),
    ],
)
async def test_the_end_of_what_is_shown_is_one_sentence(shown: bytes, said: str) -> None:
    here, there = socket.socketpair()
    there.sendall(shown)
    there.shutdown(socket.SHUT_WR)
    with pytest.raises(PortLost, match=said):
        await heard(here)
    there.close()


async def test_who_listens_in_takes_no_place_from_who_asks(runtime: Runtime) -> None:
    port = Port()
    query = Query(sensor="s", bus="meters", protocol="modbus-rtu", line="9600 8N1", table={"address": 2})

    async def answer(text: bytes) -> Answer:
        asked = Query.parse(text)
        return empty_answer(asked.sensor, asked.bus)

    task = asyncio.create_task(Lender(runtime.listen("meters"), answer, Tap(port)).run())
    listeners = [connected(runtime) for _ in range(MOST_LISTENERS)]
    for listener in listeners:
        listener.sendall(QUESTION)
    await until_tapped(port)
    reader, writer = await asyncio.open_unix_connection(sock=connected(runtime))
    writer.write(query.text().encode() + b"\n")
    assert "answer" in json.loads(await reader.readline())
    writer.close()
    for listener in listeners:
        listener.close()
    await until_tapped(port, False)
    task.cancel()
