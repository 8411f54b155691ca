"""The line of a bus in service, lent for a question: who may ask, what is answered, and who loses by it."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from pathlib import Path

import pytest

from bridge.errors import PortLost
from bridge.port import Port
from bridge.reader.answer import Answer, empty_answer
from bridge.reader.attempt import OtherSettings, Query
from bridge.reader.lending import Lender, borrow
from bridge.reader.schedule import Schedule
from bridge.reader.searching import SearchQuery
from bridge.reader.tap import Tap
from bridge.status.runtime import Runtime

QUERY = Query(sensor="room", bus="meters", protocol="modbus-rtu", line="9600 8N1", table={"address": 2})


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    return Runtime(tmp_path / "spool.db")


async def ask(runtime: Runtime, lender: Lender, text: bytes) -> dict[str, object]:
    task = asyncio.create_task(lender.run())
    try:
        connection = runtime.connect("meters")
        assert connection is not None
        connection.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        writer.write(text)
        answer: dict[str, object] = json.loads(await reader.readline())
        writer.close()
        return answer
    finally:
        task.cancel()


async def answered(text: bytes) -> Answer:
    query = Query.parse(text)
    return {**empty_answer(query.sensor, query.bus), "values": {"x": 1}}


def test_the_socket_is_for_the_user_of_the_service_and_its_group(runtime: Runtime, tmp_path: Path) -> None:
    with runtime.listen("meters"):
        (path,) = (tmp_path / "run").glob("*/bus-meters.ask")
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_nobody_lends_a_bus_that_is_not_read(runtime: Runtime) -> None:
    assert runtime.connect("meters") is None
    runtime.listen("meters").close()
    assert runtime.connect("meters") is None


def test_a_socket_that_is_no_socket_or_a_link_is_not_followed(runtime: Runtime, tmp_path: Path) -> None:
    with runtime.listen("meters"):
        (path,) = (tmp_path / "run").glob("*/bus-meters.ask")
        elsewhere = path.rename(tmp_path / "elsewhere")
        path.symlink_to(elsewhere)
        assert runtime.connect("meters") is None
        path.unlink()
        path.write_text("")
        assert runtime.connect("meters") is None


async def test_a_query_is_answered(runtime: Runtime) -> None:
    lender = Lender(runtime.listen("meters"), answered, Tap(Port()))
    task = asyncio.create_task(lender.run())
    connection = runtime.connect("meters")
    assert connection is not None
    answer = await borrow(connection, QUERY)
    assert (answer["sensor"], answer["values"]) == ("room", {"x": 1})
    task.cancel()


@pytest.mark.parametrize(
    "text",
    [
        b"\n",
        b"[]\n",
        b"nonsense\n",
        b'{"sensor": "x"}\n',
        QUERY.text().replace('"retries": 1', '"retries": 1000').encode() + b"\n",
        QUERY.text().replace('"reply_timeout_s": 0.5', '"reply_timeout_s": 1e9').encode() + b"\n",
        QUERY.text().replace('"table"', '"write"').encode() + b"\n",
        b'{"search": 1}\n',
        b'{"search": {"bus": "meters", "protocol": "modbus-rtu", "line": "9600 8N1", "addresses": []}}\n',
        b'{"search": {"bus": "b", "protocol": "p", "line": "l", "addresses": ["1"], "octets": "00"}}\n',
    ],
)
async def test_what_is_no_query_is_said_so_and_asks_nothing(runtime: Runtime, text: bytes) -> None:
    asked: list[object] = []

    async def never(text: bytes) -> None:
        asked.append(SearchQuery.parse(text) or Query.parse(text))

    assert "error" in await ask(runtime, Lender(runtime.listen("meters"), never, Tap(Port())), text)
    assert not asked


async def test_a_question_that_cannot_be_asked_gives_its_reason(runtime: Runtime) -> None:
    async def refuse(text: bytes) -> Answer:
        raise OtherSettings("bus meters is in service as modbus-rtu at 115200 8N1")

    task = asyncio.create_task(Lender(runtime.listen("meters"), refuse, Tap(Port())).run())
    connection = runtime.connect("meters")
    assert connection is not None
    with pytest.raises(PortLost, match=r"^bus meters is in service as modbus-rtu at 115200 8N1$"):
        await borrow(connection, QUERY)
    task.cancel()


async def test_who_asked_and_left_is_not_asked_for_any_more(runtime: Runtime) -> None:
    is_asked, is_cancelled = asyncio.Event(), asyncio.Event()

    async def wait(text: bytes) -> Answer:
        is_asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            is_cancelled.set()
            raise
        raise AssertionError

    task = asyncio.create_task(Lender(runtime.listen("meters"), wait, Tap(Port())).run())
    connection = runtime.connect("meters")
    assert isinstance(connection, socket.socket)
    connection.sendall(QUERY.text().encode() + b"\n")
    async with asyncio.timeout(10):
        await is_asked.wait()
        connection.close()
        await is_cancelled.wait()
    task.cancel()


def test_the_room_on_the_line_ends_with_the_first_slot_that_would_be_lost() -> None:
    schedule = Schedule({"fast": 1.0, "slow": 10.0, "fill": 0.0})
    assert schedule.is_due(0.0)
    for _ in range(2):
        key = schedule.take(0.0)
        assert key in ("fast", "slow")
        schedule.done(key, 0.0, 0.1, answered=True)
    assert not schedule.is_due(0.2), "what is left is for who fills the line"
    assert schedule.room_s(0.2) == pytest.approx(1.8)
    assert schedule.is_due(1.0)
    assert schedule.room_s(1.5) == pytest.approx(0.5)
    assert schedule.room_s(5.0) == 0.0
