"""Makes the machine's image, in a folder that is kept: `SERIAL_BRIDGE_VM`, else ~/.cache/serial-bridge-vm.

    vmlinuz, initrd     Debian 12's kernel, with the modules a virtual machine with USB adapters needs
    root.ext4           Debian 12's userland, and this program installed from wheels in /opt/serial-bridge

What has not changed since is not made again: the userland takes 40 s, the program 20 s.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_PROGRAM = ("bridge", "protocols", "udev", "pyproject.toml", "README.md", "LICENSE")
_PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "modprobe": "kmod",
    "cpio": "cpio",
    "mke2fs": "e2fsprogs",
    "setpriv": "util-linux",
}


def prepare() -> Path:
    """Brings the image up to date; its folder. Needs root, and the network for what is made again."""
    folder = Path(os.environ.get("SERIAL_BRIDGE_VM", "~/.cache/serial-bridge-vm")).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    if missing := [package for tool, package in _PACKAGES.items() if shutil.which(tool) is None]:
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
    image = _HERE / "image"
    if _is_stale(folder / "base.sum", base := _sum([image])):
        _run(image / "base.sh", folder)
        (folder / "base.sum").write_text(base)
    if _is_stale(folder / "program.sum", program := base + _sum(_ROOT / name for name in _PROGRAM)):
        _run(image / "program.sh", folder, _ROOT, sys.executable)
        (folder / "program.sum").write_text(program)
    return folder


def _is_stale(note: Path, now: str) -> bool:
    return not note.exists() or note.read_text() != now


def _sum(places: Iterable[Path]) -> str:
    """Return one for the contents of all these files and folders."""
    found = sha256()
    for place in places:
        for path in sorted([place] if place.is_file() else place.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(_ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _run(*command: str | Path) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
