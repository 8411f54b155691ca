"""The host's end of the agent in the guest (image/guest/opt/vm/agent.py tells the frames)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from pathlib import Path
from typing import NamedTuple, Self


class Done(NamedTuple):
    """A command that has ended: its status, and its output with its errors."""

    status: int
    output: bytes


class Agent:
    """Runs commands in the guest, as root, side by side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked: dict[int, asyncio.Future[Done]] = {}
        self._number = 0
        self._listening = asyncio.create_task(self._listen())
        self.is_there = asyncio.Event()
        """The guest has opened its port; not told again by one that was restored."""

    @classmethod
    async def connect(cls, path: Path) -> Self:
        return cls(*await asyncio.open_unix_connection(path))

    async def run(self, command: str, given: bytes = b"", *, within_s: float) -> Done:
        """Run a command of bash to its end, `given` its standard input."""
        self._number += 1
        done = self._asked[self._number] = asyncio.get_running_loop().create_future()
        data = json.dumps({"id": self._number, "command": command}).encode() + b"\n" + given
        self._writer.write(struct.pack(">I", len(data)) + data)
        async with asyncio.timeout(within_s):
            return await done

    async def close(self) -> None:
        self._listening.cancel()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _listen(self) -> None:
        while True:
            try:
                (length,) = struct.unpack(">I", await self._reader.readexactly(4))
                line, _, body = (await self._reader.readexactly(length)).partition(b"\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return  # the machine has ended
            header = json.loads(line)
            if header["id"] == 0:
                self.is_there.set()
            elif not (asked := self._asked.pop(header["id"])).done():
                asked.set_result(Done(header["status"], body))
