"""One virtual machine: QEMU without acceleration, the image of `build`, adapters that are plugged and pulled.

A machine boots in 15–25 s, or is restored within a second from a state saved with its memory. The root disk
is read-only under an overlay in memory: whatever a machine writes ends with it, but for what lies on a disk
of its own. It reaches nothing but the host's loopback, at 10.0.2.2. QEMU ends with its starter.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

from tests.vm.agent import Agent
from tests.vm.qmp import Qmp, QmpError

HOST = "10.0.2.2"
CORES = 2
BOOT_WITHIN_S = 180.0
COMMAND_WITHIN_S = 120.0
SOCKET_WITHIN_S = 20.0

_KERNEL = "console=ttyS0 mitigations=off no_timer_check loglevel=5 net.ifnames=0 tsc=reliable panic=-1"


class GuestFailed(AssertionError):
    """A command in the guest, or the guest itself, did not do what it should."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A USB adapter (QEMU's usb-serial, an FTDI FT232B).

    Attributes:
        device: the host's serial device, a pseudo terminal, that its line leads to.
        port: the socket it is in, 1–8.
        serial: its serial number; without one it has QEMU's constant "1".
    """

    device: Path
    port: int
    serial: str | None = None


@dataclass
class Machine:
    """A running machine.

    Attributes:
        image: the folder that `build.prepare` filled.
        folder: for its sockets and its console.
        switched_on: when it was started, on the host's clock.
    """

    image: Path
    folder: Path
    switched_on: float = field(init=False)
    _process: asyncio.subprocess.Process = field(init=False, repr=False)
    _qmp: Qmp = field(init=False, repr=False)
    _agent: Agent = field(init=False, repr=False)

    @classmethod
    @asynccontextmanager
    async def boot(
        cls,
        image: Path,
        folder: Path,
        *,
        files: Iterable[bytes] = (),
        adapters: Mapping[str, Adapter] | None = None,
        disk: Path | None = None,
        rtc: str = "utc",
    ) -> AsyncIterator[Self]:
        """Switches a machine on, waits until it is up, and cuts its power at the end of the block.

        Args:
            files: tar archives unpacked over the root disk, one after the other, before systemd starts.
            adapters: plugged in before it is switched on, by name.
            disk: a raw disk that keeps what is written, in the guest /dev/vdb.
            rtc: QEMU's `base`: what the battery-backed clock shows.
        """
        machine = cls(image, folder)
        options = ["-rtc", f"base={rtc}"]
        if disk:
            options += ["-drive", f"file={disk},format=raw,if=none,id=disk,cache=writethrough"]
            options += ["-device", "virtio-blk-pci,drive=disk"]
        for name, adapter in (adapters or {}).items():
            options += ["-chardev", f"serial,id=line-{name},path={adapter.device}"]
            options += ["-device", _usb_serial(name, f"line-{name}", adapter)]
        async with machine._running(options, files):
            await machine._up()
            yield machine

    @classmethod
    @asynccontextmanager
    async def restore(cls, image: Path, folder: Path, state: Path) -> AsyncIterator[Self]:
        """Goes on from a saved state, at today's time, until the end of the block."""
        machine = cls(image, folder)
        async with machine._running(["-incoming", f"exec:cat {state}"], ()):
            await machine.run(f"date -s @{time.time():.3f}")
            yield machine

    async def save(self, state: Path) -> None:
        """Keep the machine's state; only of one without disk and adapters. It stands still from then on."""
        await self.run("sync; udevadm settle")
        await self._qmp("migrate-set-parameters", max_bandwidth=4 << 30)
        await self._qmp("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
        await self._qmp("migrate", uri=f"exec:cat > {state}")
        await self._qmp.event("MIGRATION", status="completed")

    async def run(self, command: str, given: bytes = b"", *, within_s: float = COMMAND_WITHIN_S) -> str:
        """Run a command in the guest; its output.

        Raises:
            GuestFailed: it ended with another status than 0.
        """
        return (await self.read(command, given, within_s=within_s)).decode(errors="replace").rstrip("\n")

    async def read(self, command: str, given: bytes = b"", *, within_s: float = COMMAND_WITHIN_S) -> bytes:
        """As `run`; the output as it is."""
        done = await self._agent.run(command, given, within_s=within_s)
        if done.status:
            raise GuestFailed(f"{command}: status {done.status}\n{done.output.decode(errors='replace')}")
        return done.output

    async def holds(self, command: str, *, within_s: float = COMMAND_WITHIN_S) -> bool:
        """Return whether a command ends with status 0."""
        return (await self._agent.run(command, within_s=within_s)).status == 0

    async def until(self, command: str, *, within_s: float = COMMAND_WITHIN_S) -> float:
        """Wait in the guest until a command ends with status 0; the seconds it took.

        Raises:
            GuestFailed: it did not in time.
        """
        began = time.monotonic()
        loop = f"timeout {within_s} bash -c 'until {command}; do sleep 0.1; done' > /dev/null 2>&1"
        if not await self.holds(loop, within_s=within_s + COMMAND_WITHIN_S):
            raise GuestFailed(f"not within {within_s:.0f} s: {command}\n{await self.journal()}")
        return time.monotonic() - began

    async def journal(self) -> str:
        """Return the newest lines of the system's log."""
        return await self.run("journalctl -b --no-pager -o short-monotonic -n 80")

    async def write(self, path: str, text: str, mode: str = "644") -> None:
        await self.run(f"install -D -m {mode} /dev/stdin {path}", text.encode())

    async def plug(self, name: str, adapter: Adapter) -> None:
        """Put an adapter into its socket."""
        backend = {"type": "serial", "data": {"device": str(adapter.device)}}
        await self._qmp("chardev-add", id=f"line-{name}", backend=backend)
        options = dict(part.split("=") for part in _usb_serial(name, f"line-{name}", adapter).split(",")[1:])
        await self._qmp("device_add", driver="usb-serial", **options)

    async def unplug(self, name: str) -> None:
        """Pull an adapter out; return when it is gone for the machine's hardware."""
        await self._qmp("device_del", id=name)
        await self._qmp.event("DEVICE_DELETED", device=name)
        await retried(lambda: self._qmp("chardev-remove", id=f"line-{name}"))

    def waited_s(self) -> float:
        """Return how long its cores were ready to run and waited for the host's so far: the mean of them."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")  # proc(5): ran, waited; in ns
        return sum(int(thread.read_text().split()[1]) for thread in threads) / 1e9 / CORES

    @property
    def console(self) -> str:
        return (self.folder / "console").read_text(errors="replace")

    @asynccontextmanager
    async def _running(self, options: list[str], files: Iterable[bytes]) -> AsyncIterator[None]:
        """QEMU, and the ways to it."""
        async with AsyncExitStack() as stack:
            await self._start(options, files)
            stack.push_async_callback(self._end)
            self._qmp = await retried(lambda: Qmp.connect(self.folder / "qmp"))
            stack.push_async_callback(self._qmp.close)
            self._agent = await Agent.connect(self.folder / "agent")
            stack.push_async_callback(self._agent.close)
            yield

    async def _end(self) -> None:
        """From one moment to the next, as a power cut does."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _up(self) -> None:
        ways = {asyncio.create_task(self._agent.is_there.wait()), asyncio.create_task(self._process.wait())}
        await asyncio.wait(ways, timeout=BOOT_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        for task in ways:
            task.cancel()
        if not self._agent.is_there.is_set():
            raise GuestFailed(f"the machine does not boot:\n{self.console[-3000:]}")
        await self.run("systemctl is-system-running --wait || true")

    async def _start(self, options: list[str], files: Iterable[bytes]) -> None:
        self.folder.mkdir(exist_ok=True)
        initrd = self.folder / "initrd"
        base = (self.image / "initrd").read_bytes()
        aligned = b"\0" * (-len(base) % 4)
        initrd.write_bytes(base + aligned + _injected(self.folder, files))
        fixed = [
            *("-nodefaults", "-no-user-config", "-machine", "pc,usb=off", "-display", "none", "-no-reboot"),
            *("-accel", "tcg", "-cpu", "max", "-smp", str(CORES), "-m", "512"),
            *("-kernel", str(self.image / "vmlinuz"), "-initrd", str(initrd), "-append", _KERNEL),
            *("-drive", f"file={self.image}/root.ext4,format=raw,if=none,id=root,readonly=on"),
            *("-device", "virtio-blk-pci,drive=root"),
            *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=host"),
            *("-chardev", f"socket,id=agent,path={self.folder}/agent,server=on,wait=off"),
            *("-device", "virtio-rng-pci", "-netdev", "user,id=net,ipv6=off"),
            *("-device", "virtio-net-pci,netdev=net,romfile="),
            *("-device", "qemu-xhci,id=usb,p2=8,p3=0", "-serial", f"file:{self.folder}/console"),
            *("-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"),
        ]
        self.switched_on = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", *fixed, *options),
            stdin=subprocess.DEVNULL,
        )


T = TypeVar("T")


async def retried(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what QEMU needs a moment for: its sockets at the start, a line that is still in use."""
    ends = time.monotonic() + SOCKET_WITHIN_S
    while True:
        try:
            return await attempt()
        except (OSError, QmpError):
            if time.monotonic() > ends:
                raise
        await asyncio.sleep(0.05)


def _usb_serial(name: str, line: str, adapter: Adapter) -> str:
    serial = f",serial={adapter.serial}" if adapter.serial else ""
    return f"usb-serial,id={name},bus=usb.0,chardev={line},port={adapter.port}{serial}"


def _injected(folder: Path, files: Iterable[bytes]) -> bytes:
    """A second archive for the initrd, which unpacks these over the root disk."""
    inject = folder / "inject"
    inject.mkdir()
    for number, archive in enumerate(files):
        (inject / f"{number}.tar").write_bytes(archive)
    names = "\n".join(["inject", *(f"inject/{path.name}" for path in inject.iterdir())])
    return subprocess.run(
        ["cpio", "--quiet", "-o", "-H", "newc"],
        cwd=folder,
        input=names.encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
