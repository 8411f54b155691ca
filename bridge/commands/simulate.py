"""`serial-bridge simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from bridge.commands.terminal.options import SITE, AsJson, SitePath, print_json, say, tell

SECTION: Final = "Around it"


def command(
    devices: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to put one link for each bus; made if missing.")
    ],
    capture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Play a capture with its timing instead, as the one bus --bus."),
    ] = None,
    bus: Annotated[
        str | None, typer.Option(metavar="BUS", help="With --capture or --random: the name of the link.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--random", metavar="SEED", help="Play a bus with unknown sensors."),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="With --random: tell what is on the bus.")] = False,
    as_json: AsJson = False,
    site: SitePath = SITE,
) -> None:
    """Play a site's sensors, a capture, or a bus with unknown sensors, for `run --devices FOLDER`."""
    if seed is not None:
        _play_random(seed, devices / (bus or "unknown"), reveal=reveal, as_json=as_json)
        return
    if capture is not None:
        from bridge.captures import read
        from bridge.simulator.field.replay import replay

        replay(read(capture), devices / (bus or "captured"), say)
        return
    from bridge.config import load_site
    from bridge.simulator.field.sensors import simulate_until_stopped

    simulate_until_stopped(load_site(site), devices, say)


def _play_random(seed: int, link: Path, *, reveal: bool, as_json: bool) -> None:
    """Play a random bus until stopped; print what it is as JSON, or with `reveal` in sentences."""
    from bridge.simulator.training.drawing import random_bus
    from bridge.simulator.training.playing import play_until_stopped

    drawn_bus = random_bus(seed)

    def announce() -> None:
        if as_json:
            print_json({"link": str(link), **drawn_bus.document()})
            return
        tell(f"{link}: a bus that nobody knows. Find out: serial-bridge scan {link}")
        say("\n".join(drawn_bus.sentences()) if reveal else "What is on it: the same command with --reveal")

    play_until_stopped(drawn_bus, link, announce)
