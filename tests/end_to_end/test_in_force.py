"""An edit that is not in force is said by every command that looks at the site, until it is."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bridge.simulator.field.bus import SimulatedBus
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units

pytestmark = pytest.mark.end_to_end


def first_lines(world: World) -> dict[str, str]:
    """Return the first line that each command prints."""
    lines = {}
    for command in ("status", "check", "doctor"):
        done = world.command(command)
        lines[command] = done.stdout.splitlines()[0]
    return lines


async def test_an_edit_is_said_by_three_commands_until_the_service_runs_it(world: World) -> None:
    with SimulatedBus(units(), LINE) as bus:
        text = site_text(bus, 5683)
        world.write(text, {})
        reader = world.start("read", "meters")
        await world.until(lambda: bus.requests[2] > 0)
        assert not any("not in force" in line for line in first_lines(world).values())
        world.write(text.replace("room", "hall"), {})
        for command, line in first_lines(world).items():
            assert "site.toml was edited at " in line, command
            assert "is not in force (bus meters): sudo serial-bridge install" in line, command
        assert world.stop(reader) == 0
        reader = world.start("read", "meters")
        await world.until(lambda: world.status()["buses"]["meters"]["running"])
        assert not any("not in force" in line for line in first_lines(world).values())
        assert world.stop(reader) == 0


async def test_a_watch_says_an_edit_within_a_second_or_two(world: World) -> None:
    with SimulatedBus(units(), LINE) as bus:
        text = site_text(bus, 5683)
        world.write(text, {})
        reader = world.start("read", "meters")
        await world.until(lambda: bus.requests[2] > 0)
        with subprocess.Popen(  # noqa: ASYNC220 — the test reads it line by line
            [sys.executable, "-m", "bridge", "status", "--watch"],
            env=world.environment | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        ) as watch:
            assert watch.stdout is not None
            try:
                first = watch.stdout.readline()
                assert "2 sensors: " in first
                world.write(text.replace('every = "100ms"', 'every = "110ms"'), {})
                edited_at = time.monotonic()
                while "is not in force" not in (line := watch.stdout.readline()):
                    assert line, "it ended"
                assert time.monotonic() - edited_at < 5
                assert "\x1b" not in line
            finally:
                watch.terminate()
        assert world.stop(reader) == 0
