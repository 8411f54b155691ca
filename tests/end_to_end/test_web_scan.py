"""A scan from the page, in a browser, to its end: the reader of the bus asks simulated sensors on a pty."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.config import load_site
from bridge.simulator.field.bus import SimulatedBus
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.polling import LineSettings
from tests.bridge.commands.web.browser import PHONE, chromium, findings
from tests.bridge.commands.web.served import Served
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import site_text, units

pytestmark = pytest.mark.end_to_end

WITHIN_S = 40.0
SLOW = 1200  # baud: after the first find a scan goes on for several seconds
STRANGERS = (3, 9)
LAST_ADDRESS = 16  # of the usual ones


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@dataclass
class Cabinet:
    """A bus in service, its page, and the phone that is open at it."""

    world: World
    field: SimulatedBus
    page: Served
    phone: Any

    def until(self, claim: Callable[[], object]) -> None:
        """Wait until `claim()` holds."""
        deadline = time.monotonic() + WITHIN_S
        while not claim():
            assert time.monotonic() < deadline, f"{self.text}\n{self.world.log}"
            time.sleep(0.05)

    def shows(self, text: str) -> None:
        """Wait until the open page shows a text, without being loaded by hand."""
        self.until(lambda: text in self.text)
        self.phone.wait_for_load_state()

    def go(self, path: str) -> None:
        self.phone.goto(f"http://{self.page.host}{path}")

    def begin(self) -> None:
        """Begins a scan."""
        self.go("/scan")
        self.phone.get_by_role("button", name="Start").click()

    @property
    def text(self) -> str:
        """Return what the open page shows; "" while it is being loaded."""
        try:
            return str(self.phone.inner_text("main"))
        except Exception as error:
            if "Execution context was destroyed" in str(error):
                return ""
            raise


@contextmanager
def cabinet_of(world: World, browser: Any, *options: str, baudrate: int = 9600) -> Iterator[Cabinet]:
    line = LineSettings(baudrate)
    strangers = {address: SimulatedUnit(address, holding={0: 4711}) for address in STRANGERS}
    with SimulatedBus({**units(), **strangers}, line) as field:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        web = f'[web]\nlisten = "local"\nport = {port}\n'
        text = site_text(field, 5683, every="2s").replace("115200 8N1", str(line))
        world.write(text.replace("[bus.meters]", f"{web}[bus.meters]", 1), {})
        world.start("read", "meters")
        page = Served(load_site(world.site), world.start("web", "serve", *options), port)
        context = browser.new_context(viewport=PHONE, locale="en-GB")
        cabinet = Cabinet(world, field, page, context.new_page())
        cabinet.until(lambda: field.requests[2] > 2)
        cabinet.until(page.is_up)
        context.add_cookies([{"name": "session", "value": page.session(), "url": f"http://{page.host}"}])
        yield cabinet
        context.close()


def test_a_scan_shows_how_far_it_is_each_find_and_its_end_also_to_whoever_comes_back(
    world: World,
    browser: Any,
) -> None:
    with cabinet_of(world, browser) as cabinet:
        cabinet.begin()
        cabinet.shows("its reader asks, between the polls")
        cabinet.shows("address 3–6")
        assert findings(cabinet.phone) == []
        cabinet.phone.close()  # the page is left, and whoever comes back sees how far it is
        before = cabinet.field.requests[2]
        cabinet.phone = cabinet.phone.context.new_page()
        cabinet.go("/scan")
        assert "It goes on." in cabinet.text
        cabinet.shows("2 devices answer")
        assert cabinet.field.requests[2] > before
        for address in STRANGERS:
            assert f"modbus-rtu address {address}:" in cabinet.text
        assert "nothing was written to any device" in cabinet.text
        assert "octets sent" not in cabinet.text  # by the reader, which does not say how many
        assert "It goes on." not in cabinet.text
        assert findings(cabinet.phone) == []
        with cabinet.phone.expect_download() as download:
            cabinet.phone.click("text=Download what was found")
        text = download.value.path().read_text("utf-8")
        assert all(f"address {address}:" in text for address in STRANGERS)
        sensors = cabinet.world.status()["sensors"]
        assert {name: sensor["timeouts"] for name, sensor in sensors.items()} == {"counter": 0, "room": 0}


def test_a_scan_that_is_stopped_keeps_what_it_found_and_costs_the_sensors_nothing(
    world: World,
    browser: Any,
) -> None:
    with cabinet_of(world, browser, baudrate=SLOW) as cabinet:
        cabinet.begin()
        cabinet.shows("address 3: ")
        cabinet.phone.get_by_role("button", name="Stop").click()
        cabinet.shows("interrupted: start it again")
        assert "modbus-rtu address 3:" in cabinet.text
        asked = cabinet.field.requests.total()
        cabinet.until(lambda: cabinet.field.requests.total() > asked + 10)
        assert cabinet.page.lives()
        log = (cabinet.world.folder / "audit.jsonl").read_text()
        assert '"web scan"' in log
        assert '"web stop"' in log


def test_a_pulled_adapter_and_then_a_stopped_reader_end_the_scan_with_the_next_step(
    world: World,
    browser: Any,
) -> None:
    with cabinet_of(world, browser, baudrate=SLOW) as cabinet:
        cabinet.begin()
        cabinet.shows("address 3: ")
        cabinet.field.unplug()
        cabinet.shows("plug it in")
        assert "modbus-rtu address 3:" in cabinet.text
        assert "It goes on." not in cabinet.text
        cabinet.field.replug()
        seen = cabinet.field.requests[2]
        cabinet.until(lambda: cabinet.field.requests[2] > seen)
        cabinet.phone.get_by_role("button", name="Start").click()
        cabinet.shows("address 3–6")
        assert cabinet.phone.locator(".bad").count() == 0
        world.stop(world.processes[0])
        cabinet.shows("its reader has stopped: see its log")


def test_neither_the_idle_time_nor_an_edit_cuts_off_a_scan(world: World, browser: Any) -> None:
    with cabinet_of(world, browser, "--idle", "3") as cabinet:
        cabinet.begin()
        cabinet.shows("It goes on.")
        cabinet.phone.goto("about:blank")
        world.site.write_text(world.site.read_text() + "\n# edited\n")
        assert cabinet.page.process.wait(WITHIN_S) == 0
        assert cabinet.field.requests[LAST_ADDRESS] > 0, world.log
