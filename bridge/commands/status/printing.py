"""What `status` prints: once, afresh every second, or a line for each change."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import typer

from bridge.commands.status.snapshot import collect
from bridge.config import Site, load_site
from bridge.errors import ConfigError
from bridge.plain_text import lines, one_line


def show(site: Site) -> None:
    """Print the status once: all of it into a pipe, as much as fits on a terminal."""
    from rich.console import Console

    from bridge.commands.status.screen import UNBOUNDED, screen

    console = Console()
    width, height = (console.width, console.height) if console.is_terminal else (UNBOUNDED, None)
    console.print(screen(collect(site), _units(site), width, height, site.path), soft_wrap=True)


def show_sensor(site: Site, name: str) -> None:
    """Print all that is known of one sensor.

    Raises:
        ConfigError: there is no such sensor, and no reading of one waits.
    """
    from bridge.commands.status.screen import detail

    document = collect(site)
    if name not in document["sensors"]:
        names = ", ".join(document["sensors"])
        raise ConfigError([f'{site.path}: there is no sensor "{name}"; the sensors are: {names}'])
    sensor = site.sensors.get(name)
    rows = detail(document, name, _units(site).get(name, {}), sensor.offsets if sensor else {}, site.path)
    typer.echo(lines([*document["not_in_force"], *rows]))


def watch_it(path: Path) -> None:
    """Print the status afresh every second until interrupted; into a pipe, a line for each change."""
    from rich.console import Console
    from rich.live import Live

    from bridge.commands.status.screen import screen

    console = Console()
    site = load_site(path)
    with suppress(KeyboardInterrupt):
        if not console.is_terminal:
            _print_changes(path)
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                site = _newest(path, site)
                picture = screen(collect(site), _units(site), console.width, console.height, path)
                live.update(picture, refresh=True)
                time.sleep(1)


def _print_changes(path: Path) -> None:
    """Print the summary and each sensor's state when it changes, a line each, for ever."""
    from bridge.commands.status.sentences import states, summary

    site, last_summary, last_states, last_edits = load_site(path), "", dict[str, str](), list[str]()
    while True:
        site = _newest(path, site)
        document = collect(site)
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        sentences = [edit for edit in document["not_in_force"] if edit not in last_edits]
        if (text := summary(document)) != last_summary:
            sentences.append(text)
        new_states = {name: state.partition(",")[0] for name, state in states(document).items()}
        sentences += [
            f"{name} {state}" for name, state in new_states.items() if last_states.get(name) != state
        ]
        for sentence in sentences:
            typer.echo(one_line(f"{now} {sentence}"))
        last_summary, last_states, last_edits = text, new_states, document["not_in_force"]
        time.sleep(1)


def _newest(path: Path, site: Site) -> Site:
    """Return the site as its file is now; as it was while the file has mistakes."""
    try:
        return load_site(path)
    except ConfigError:
        return site


def _units(site: Site) -> dict[str, Mapping[str, str]]:
    return {name: sensor.settings.units for name, sensor in site.sensors.items()}
