"""Screens of `status` and `setup` for the documentation, drawn as PNG: `make screens`.

A made-up site on a bad day: thirty sensors, one of them silent and one slow, the adapter of one bus gone, the
disk full, and a server that has not answered for 17 s.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from rich.segment import Segment

from bridge.commands.status.screen import screen
from bridge.status.documents import Status
from tests.support.scan_screen import scan_lines
from tests.support.setup_screens import setup_screens
from tests.support.typing_person import COLUMNS, ROWS

_FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono{}.ttf"
_SIZE, _BACKGROUND, _INK = 15, "#1b1f24", "#d5dae0"
_COLOURS = {"red": "#ff6b6b", "yellow": "#e5c07b", "green": "#7ecb7e"}
_BOOKS = {"expired": 0, "refused": 0, "dropped": 0}
_SILENCE = (
    "does not answer: check its power, then A and B (swapped?), its address, and baud rate and parity in its "
    "manual"
)
_UNITS = {"voltage_l1": "V", "current_l1": "A", "active_power": "W", "temperature": "°C", "humidity": "%"}


def troubled_site() -> Status:
    """Return the document of `status --json` for that site."""
    now_ms = time.time_ns() // 1_000_000
    sensors: dict[str, dict[str, Any]] = {}
    for number in range(1, 31):
        is_roof = number > 26
        values = (
            {"temperature": 18.4 + number / 10, "humidity": 51.0}
            if is_roof
            else {"voltage_l1": 230.1, "current_l1": round(0.4 * number, 1), "active_power": 92 * number}
        )
        sensors[f"{'roof' if is_roof else 'meter'}-{number:02d}"] = {
            "bus": "roof" if is_roof else "meters",
            "state": "no port" if is_roof else "ok",
            "last_ts": now_ms - (240_000 if is_roof else 310 * number),
            "last_values": values,
            "read": 4200,
            "delivered": 4160,
            "queued": 40,
            **_BOOKS,
        }
    sensors["meter-07"] |= {"state": "silent", "last_ts": now_ms - 780_000, "trouble": _SILENCE}
    sensors["meter-12"] |= {
        "learned": {"is_slow": True},
        "trouble": "answers after 2.1 s, where reply_timeout says 0.5 s: it is waited for up to 3.2 s",
    }
    document = {
        "version": "0",
        "not_in_force": [],
        "sensors": sensors,
        "ledger": {"read": 126_000, "delivered": 124_800, "queued": 1200, **_BOOKS},
        "buses": {
            "meters": {
                "state": "ready",
                "running": True,
                "spool": {"in_memory": 1200, "reason": "disk full"},
            },
            "roof": {
                "state": "lost",
                "running": True,
                "error": 'the adapter "serial:AB0JPQ7X" is not there: plug in the adapter',
            },
        },
        "gateway": None,
        "uplink": {
            "state": "backing off",
            "running": True,
            "last_error": "tb.example.com:5683 does not answer",
            "last_success": now_ms - 17_000,
            "holds": {},
            "slowed": {},
        },
        "clock": {"state": "synchronized, by the kernel", "source": "the kernel", "placed": None},
    }
    return cast(Status, document)


def draw(width: int, height: int, path: Path) -> None:
    """Draw the screen of a terminal of this size, in columns and rows, as PNG."""
    from rich.console import Console

    units = dict.fromkeys(troubled_site()["sensors"], _UNITS)
    console = Console(width=width, height=height, force_terminal=True, color_system="truecolor")
    paint(console.render_lines(screen(troubled_site(), units, width, height), pad=False), width, height, path)


def paint(lines: Sequence[Sequence[Segment]], width: int, height: int, path: Path) -> None:
    """Draw the lines of a terminal of this size, in columns and rows, as PNG."""
    from PIL import Image, ImageDraw, ImageFont

    fonts = {
        is_bold: ImageFont.truetype(_FONT.format("-Bold" if is_bold else ""), _SIZE) for is_bold in (0, 1)
    }
    column, row = fonts[0].getlength("m"), _SIZE * 5 // 4
    picture = Image.new("RGB", (round(column * (width + 2)), row * (height + 1)), _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        at = 1
        for segment in line:
            style = segment.style
            colour = _COLOURS.get(style.color.name, _INK) if style and style.color else _INK
            is_bold = bool(style and style.bold)
            pen.text((column * at, row * (number + 0.5)), segment.text, fill=colour, font=fonts[is_bold])
            at += segment.cell_length
    picture.save(path, optimize=True)


def main() -> None:
    """Draw all screens into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    draw(80, 24, folder / "status-80x24.png")
    draw(40, 20, folder / "status-40x20.png")
    paint([[Segment(line)] for line in scan_lines()], COLUMNS, ROWS, folder / f"scan-{COLUMNS}x{ROWS}.png")
    for name, lines in setup_screens().items():
        paint(
            [[Segment(line)] for line in lines], COLUMNS, ROWS, folder / f"setup-{name}-{COLUMNS}x{ROWS}.png"
        )


if __name__ == "__main__":
    main()
