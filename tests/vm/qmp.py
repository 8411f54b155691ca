"""QEMU's machine protocol: one JSON object a line, commands answered in order, events in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any, Self

ANSWER_WITHIN_S = 30.0


class QmpError(Exception):
    """QEMU refused a command."""


class Qmp:
    """The control socket of one QEMU. `await qmp("device_del", id="a")`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._events: list[dict[str, Any]] = []

    @classmethod
    async def connect(cls, path: Path) -> Self:
        qmp = cls(*await asyncio.open_unix_connection(path))
        await qmp._reader.readline()  # the greeting
        await qmp("qmp_capabilities")
        return qmp

    async def __call__(self, command: str, **arguments: Any) -> Any:
        """Run a command; what it returns.

        Raises:
            QmpError: in QEMU's words.
        """
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._writer.write(json.dumps({"execute": command, "arguments": named}).encode() + b"\n")
        async with asyncio.timeout(ANSWER_WITHIN_S):
            while True:
                message = await self._next()
                if "error" in message:
                    raise QmpError(f"{command}: {message['error']['desc']}")
                if "return" in message:
                    return message["return"]
                self._events.append(message)

    async def event(self, name: str, **data: Any) -> None:
        """Wait for an event with this in its data; it may have come during an earlier command."""
        async with asyncio.timeout(ANSWER_WITHIN_S):
            while True:
                for event in self._events:
                    if event["event"] == name and data.items() <= event.get("data", {}).items():
                        self._events.remove(event)
                        return
                self._events.append(await self._next())

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _next(self) -> dict[str, Any]:
        line = await self._reader.readline()
        if not line:
            raise QmpError("QEMU has ended")
        message: dict[str, Any] = json.loads(line)
        return message
