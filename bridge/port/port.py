"""One serial device: open, read, write, loss. The only importer of pyserial-asyncio.

pyserial-asyncio 0.6 moves the bytes; this module closes the gaps that it leaves:

- It opens in the event loop, and not exclusively, so that two programs steal each other's replies. Here: in a
  thread, with a deadline, under a lock (`serial_device.py`).
- A write after the loss vanishes without a word, and an error while writing is told to the loop, not to the
  writer. Here: the bytes go to the device at once, and every failure is a PortLost for the caller.
- Its close waits, in the event loop, until the device took all output. Here: output is thrown away first.
- `abort` after the loss raises AttributeError. Here: only a transport that is still open is aborted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import termios
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, cast

import serial_asyncio

from bridge.captures import Direction
from bridge.causes import Cause
from bridge.errors import PortLost, port_lost
from bridge.event_loop import call_in_thread
from bridge.port.driver import UartErrors, holds_input, uart_errors
from bridge.port.serial_device import SerialDevice, change_settings, open_device
from protocols.toolkit.polling import LineSettings

if TYPE_CHECKING:
    from bridge.config import RS485

_log = logging.getLogger(__name__)
_wire = logging.getLogger("bridge.wire")

OPEN_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 2.0
CLOSE_TIMEOUT_S = 0.15
_MOST_HUNG = 3  # openings that may hang at once: each holds a thread
_INBOX_LIMIT = 64 * 1024  # octets nobody has read yet; beyond it the oldest go


class State(Enum):
    """The state of a port."""

    CLOSED = "closed"
    OPENING = "opening"
    READY = "ready"
    LOST = "lost"


class Port:
    """One serial device, opened and closed as often as it comes and goes.

    Attributes:
        tap: is handed all octets as they are read and sent; None while nobody listens in.
    """

    def __init__(self) -> None:
        self.tap: Callable[[bytes, Direction], None] | None = None
        self.state = State.CLOSED
        self.path = ""
        self.settings = LineSettings(9600)
        self._is_read_only = False
        self._inbox = _Inbox(self._on_lost)
        self._transport: asyncio.Transport | None = None
        self._device: SerialDevice | None = None
        self._hung: list[asyncio.Future[SerialDevice]] = []  # openings that nobody waits for any more

    async def open(
        self, path: str, settings: LineSettings, rs485: RS485 | None = None, is_read_only: bool = False
    ) -> None:
        """Open the device, for this process alone.

        Args:
            path: the device file.
            settings: speed and character format.
            rs485: how its driver is switched, if the kernel must do that.
            is_read_only: never send: `write` is refused, and RTS and DTR stay low.

        Raises:
            PortLost: missing, busy, forbidden or not a serial device; the message says which, and what to do.
        """
        assert self.state in (State.CLOSED, State.LOST)
        await self.close()
        self.path = path
        self.settings = settings
        self._is_read_only = is_read_only
        self._enter(State.OPENING)
        try:
            device = await self._open_in_thread(path, settings, rs485, is_read_only)
            self._inbox = _Inbox(self._on_lost)
            try:
                self._transport, _ = await serial_asyncio.connection_for_serial(
                    asyncio.get_running_loop(), lambda: self._inbox, device
                )
            except (OSError, termios.error, ValueError) as error:  # pulled out meanwhile
                device.close()
                raise port_lost(path, Cause.PORT_PULLED, str(error)) from error
        except BaseException:
            self._enter(State.CLOSED)
            raise
        self._device = device
        self._enter(State.READY)

    async def read(self, deadline: float | None = None) -> bytes:
        """Return all bytes that came since the last call; wait for some until `deadline` (loop time).

        Returns:
            The bytes, or b"" when the deadline passed first.

        Raises:
            PortLost: the device is gone; the bytes that it delivered before were returned first.
        """
        inbox = self._inbox
        if not inbox.data:
            self._require_ready()
            if deadline is not None and deadline <= asyncio.get_running_loop().time():
                return b""
            await inbox.wait(deadline)
        data = bytes(inbox.data)
        inbox.data.clear()
        if not data:
            self._require_ready()
            return data
        if _wire.isEnabledFor(logging.DEBUG):
            _wire.debug("%s < %s", self.path, data.hex(" "))
        if self.tap is not None:
            self.tap(data, Direction.RECEIVED)
        return data

    async def write(self, data: bytes) -> None:
        """Hand all of `data` to the device, and return when it took them, before they are on the wire.

        Raises:
            PortLost: the device is gone, or takes no output.
            RuntimeError: it was opened read-only.
        """
        if self._is_read_only:
            raise RuntimeError(f"{self.path} belongs to another master: nothing is sent on it")
        self._require_ready()
        assert self._device is not None
        assert self._transport is not None
        if _wire.isEnabledFor(logging.DEBUG):
            _wire.debug("%s > %s", self.path, data.hex(" "))
        if self.tap is not None:
            self.tap(data, Direction.SENT)
        try:
            accepted = os.write(self._device.fileno(), data)
        except BlockingIOError:
            accepted = 0
        except OSError as error:
            self._on_lost(error)
            raise self._lost() from error
        if accepted == len(data):
            return
        self._transport.write(data[accepted:])
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._inbox.writable.wait()
        except TimeoutError as error:
            self._on_lost(OSError("it takes no output"))
            raise self._lost() from error
        self._require_ready()

    async def configure(self, settings: LineSettings) -> None:
        """Change the line settings, once the bytes written before are on the wire.

        Raises:
            PortLost: the device is gone, or takes neither output nor the settings.
        """
        self._require_ready()
        assert self._device is not None
        changing = call_in_thread(partial(change_settings, self._device, settings), f"set {self.path}")
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await changing
        except TimeoutError as error:
            self._on_lost(OSError("it takes no output"))
            raise self._lost() from error
        self.settings = settings
        _log.debug("%s: %s", self.path, settings)

    async def _open_in_thread(
        self, path: str, settings: LineSettings, rs485: RS485 | None, is_read_only: bool
    ) -> SerialDevice:
        """Open the device in a thread, where a driver that hangs stops no other bus.

        Raises:
            PortLost: it does not open, or does not answer to being opened.
        """
        self._hung = [opening for opening in self._hung if not opening.done()]
        if len(self._hung) >= _MOST_HUNG:
            raise port_lost(path, Cause.PORT_FAILED, "it hangs")
        opening = call_in_thread(partial(open_device, path, settings, rs485, is_read_only), f"open {path}")
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                return await asyncio.shield(opening)
        except BaseException as error:
            opening.add_done_callback(_close_late)
            self._hung.append(opening)
            if isinstance(error, TimeoutError):
                raise port_lost(path, Cause.PORT_FAILED, f"not within {OPEN_TIMEOUT_S:.0f} s") from error
            raise

    async def close(self) -> None:
        """Close the device; output it has not taken yet is lost. Never waits longer than CLOSE_TIMEOUT_S."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        if not transport.is_closing():
            transport.abort()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._inbox.closed.wait()
        except TimeoutError:
            _log.warning("%s did not close within %.0f s; not waiting for it", self.path, CLOSE_TIMEOUT_S)
        self._device = None
        self._enter(State.CLOSED)

    @property
    def heard_at(self) -> float:
        """Return when the last bytes came that `read` returned, or will return (loop time)."""
        return self._inbox.heard_at

    def has_input(self) -> bool:
        """Return whether bytes came that `read` has not returned, also such as the kernel still holds."""
        if self._inbox.data or self._device is None or self.state is not State.READY:
            return bool(self._inbox.data)
        return holds_input(self._device.fileno())

    def uart_errors(self) -> UartErrors | None:
        """Return the UART's error counters; None while the port is not open, or if its driver has none."""
        if self.state is not State.READY or self._device is None:
            return None
        return uart_errors(self._device.fileno())

    def _require_ready(self) -> None:
        if self.state is not State.READY:
            raise self._lost()

    def _lost(self) -> PortLost:
        reason = self._inbox.error
        if reason is None:
            return PortLost(f"{self.path or 'port'} is not open")
        return port_lost(self.path, Cause.PORT_PULLED, str(reason))

    def _on_lost(self, error: Exception | None) -> None:
        """Record that the device is gone, as a transport or a write reports; the next `close` aborts it."""
        self._inbox.error = self._inbox.error or error
        if self.state is State.READY and error is not None:
            self._enter(State.LOST)
        self._inbox.wake()

    def _enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            _log.debug("%s: %s", self.path, state.value)


class _Inbox(asyncio.Protocol):
    """The receiver of the transport's events: bytes, and the end."""

    def __init__(self, on_lost: Callable[[Exception | None], None]) -> None:
        self.data = bytearray()
        self.heard_at = 0.0
        self.error: Exception | None = None
        self.closed = asyncio.Event()
        self.writable = asyncio.Event()
        self._on_lost = on_lost
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self, deadline: float | None) -> None:
        """Wait for bytes, for the end, or until `deadline` (loop time)."""
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = None if deadline is None else loop.call_at(deadline, self.wake)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.heard_at = asyncio.get_running_loop().time()
        if len(self.data) > _INBOX_LIMIT:
            del self.data[:-_INBOX_LIMIT]
        self.wake()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        self.writable.set()
        self._on_lost(exc)


def _close_late(opening: asyncio.Future[SerialDevice]) -> None:
    """Close a device that opened after its deadline, when no caller waits for it any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
