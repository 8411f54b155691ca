"""The page in a real Chromium: pairing, each page in both languages and shades, live values, no script."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.causes import Cause, diagnosis
from bridge.commands.pages.german import translated
from tests.bridge.commands.web.browser import DESK, PHONE, chromium, findings
from tests.bridge.commands.web.served import Served
from tests.support.played_site import play

PAGES = ("/", "/sensor?name=boiler", "/bus?name=meters", "/uplink", "/scan", "/config", "/doctor")
MOST_BYTES = 60_000
ENGLISH = re.compile(
    r"\b(the|is|are|not|its|and|with|of|for|ago|within|last|now|seconds|no|to|from|sensors|readings|silent)\b"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def phone(browser: Any, page: Served) -> Iterator[Any]:
    """A tab of a paired phone; what its console says is an error."""
    context = browser.new_context(viewport=PHONE, locale="en-GB")
    context.set_default_timeout(10_000)
    context.add_cookies([{"name": "session", "value": page.session(), "url": f"http://{page.host}"}])
    tab = context.new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    yield tab
    context.close()
    assert said == []


def shows(place: Any, text: str) -> None:
    """Wait until a place of the page shows a text."""
    deadline = time.monotonic() + 10
    while text not in place.inner_text():
        assert time.monotonic() < deadline, place.inner_text()
        time.sleep(0.05)


def test_a_phone_is_paired_by_its_code_and_sees_the_site(browser: Any, page: Served) -> None:
    context = browser.new_context(viewport=PHONE)
    tab = context.new_page()
    tab.goto(f"http://{page.host}/")
    assert tab.url.endswith("/pair")
    assert findings(tab) == []
    tab.fill("#code", "00000000")
    tab.click("main button")
    assert "wrong, used or too old" in tab.inner_text("main")
    tab.goto(f"http://{page.host}/pair#{page.code()}")  # as the QR code has it
    tab.click("main button")
    tab.wait_for_url(f"http://{page.host}/")
    assert "3 sensors: 1 silent, 2 ok" in tab.inner_text("main")
    assert tab.evaluate("document.cookie") == ""
    tab.click("text=End this session")
    tab.wait_for_url(f"http://{page.host}/pair")
    tab.goto(f"http://{page.host}/")
    assert tab.url.endswith("/pair")
    context.close()


def test_what_is_wrong_comes_first_with_the_sentence_of_status(phone: Any, page: Served) -> None:
    phone.goto(f"http://{page.host}/")
    first = phone.locator("article").first.inner_text()
    assert first.startswith("boiler")
    assert str(diagnosis(Cause.SILENT)) in first
    phone.goto(f"http://{page.host}/?lang=de")
    first = phone.locator("article").first.inner_text()
    assert translated(str(diagnosis(Cause.SILENT))) in first
    assert "stumm" in first
    assert "3 Sensoren: 1 stumm, 2 ok" in phone.inner_text("main")


@pytest.mark.parametrize("path", PAGES)
def test_each_page_has_no_finding_on_a_phone_and_a_desk_by_day_and_night(
    phone: Any, page: Served, path: str
) -> None:
    for size, shade, language in ((PHONE, "light", "en"), (DESK, "dark", "de")):
        phone.set_viewport_size(size)
        phone.emulate_media(color_scheme=shade)
        mark = "&" if "?" in path else "?"
        phone.goto(f"http://{page.host}{path}{mark}lang={language}")
        assert findings(phone) == [], (path, size, shade)
        assert phone.evaluate("document.documentElement.lang") == language


def test_the_report_has_no_finding_on_a_phone_and_a_desk_by_day_and_night(
    phone: Any, page: Served, tmp_path: Path
) -> None:
    for size, shade, language in ((PHONE, "light", "de"), (DESK, "dark", "en")):
        report = phone.request.get(f"http://{page.host}/report?lang={language}").text()
        (tmp_path / "report.html").write_text(report)
        phone.set_viewport_size(size)
        phone.emulate_media(color_scheme=shade)
        phone.goto(f"file://{tmp_path}/report.html")
        assert findings(phone) == [], (size, shade)


def test_a_german_page_has_no_english_word(phone: Any, page: Served) -> None:
    for path in (*PAGES, "/pair"):
        phone.goto(f"http://{page.host}{path}{'&' if '?' in path else '?'}lang=de")
        text = phone.evaluate(
            "() => { document.querySelectorAll('pre, code, footer').forEach((e) => e.remove());"
            " return document.body.innerText; }"
        )
        assert not ENGLISH.search(text), (path, ENGLISH.search(text))


def test_who_gets_no_page_gets_one_sentence_in_the_language_of_the_browser(page: Served) -> None:
    german = "Accept-Language: de-DE"
    assert "nicht gekoppelt" in page.ask("/", more=german)[1].decode()
    assert "diese Seite gibt es nicht" in page.ask("/nowhere", cookie=page.session(), more=german)[1].decode()
    assert "not paired" in page.ask("/")[1].decode()


def test_the_language_is_chosen_on_any_page_and_stays(phone: Any, page: Served) -> None:
    phone.goto(f"http://{page.host}/sensor?name=boiler")
    phone.click("text=Deutsch")
    assert phone.inner_text("h1") == "boiler"
    assert phone.inner_text("main button") == "Jetzt versuchen"
    phone.click("main button")
    phone.goto(f"http://{page.host}/uplink")
    assert phone.evaluate("document.documentElement.lang") == "de"


def test_a_page_with_its_files_is_small(page: Served) -> None:
    cookie = page.session()
    files = sum(len(page.ask(path, cookie=cookie)[1]) for path in ("/style.css", "/live.js"))
    for path in PAGES:
        assert files + len(page.ask(path, cookie=cookie)[1]) < MOST_BYTES


def test_a_value_changes_on_the_open_page(phone: Any, page: Served) -> None:
    phone.goto(f"http://{page.host}/")
    place = phone.locator("[data-sensor='main-meter'][data-key='temperature']")
    assert place.inner_text().startswith("21.5")
    play(page.site, value=33.25)
    shows(place, "33.25")
    play(page.site)
    shows(place, "21.5")


def test_a_sentence_changes_on_the_open_page(phone: Any, page: Served) -> None:
    phone.goto(f"http://{page.host}/sensor?name=boiler")
    play(page.site, trouble=str(diagnosis(Cause.DAMAGED)))
    shows(phone.locator("article [data-live=said]"), "the checksum is wrong")
    play(page.site)


def test_every_page_can_be_read_without_a_script(browser: Any, page: Served) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False, locale="en-GB")
    context.add_cookies([{"name": "session", "value": page.session(), "url": f"http://{page.host}"}])
    tab = context.new_page()
    for path in PAGES:
        tab.goto(f"http://{page.host}{path}")
        assert tab.locator("h1").count() == 1
    tab.goto(f"http://{page.host}/")
    tab.click("article a")
    assert tab.locator("svg").count() == 7  # what it measured, the last hour and the last day of its line
    context.close()


def test_trying_a_sensor_that_nobody_reads_says_what_to_do(phone: Any, page: Served) -> None:
    phone.goto(f"http://{page.host}/sensor?name=boiler")
    phone.click("text=Try now")
    assert "is not being read: start its service" in phone.inner_text("[role=status]")


def test_scanning_a_bus_that_nobody_reads_says_what_to_do(phone: Any, page: Served) -> None:
    phone.goto(f"http://{page.host}/scan")
    phone.click("main button")
    deadline = time.monotonic() + 10
    while "is not being read: start its service" not in phone.inner_text("main"):
        assert time.monotonic() < deadline
        phone.reload()


def test_the_report_can_be_taken_along(phone: Any, page: Served) -> None:
    phone.goto(f"http://{page.host}/")
    with phone.expect_download() as download:
        phone.click("text=Report for the hand-over")
    assert download.value.suggested_filename == "report.html"
    html = download.value.path().read_text("utf-8")
    assert re.search("<h1>Site report: demo</h1>", html)


def test_each_action_stands_in_the_audit_log(phone: Any, page: Served) -> None:
    phone.goto(f"http://{page.host}/sensor?name=boiler")
    phone.click("text=Try now")
    log = (page.site.path.parent / "audit.jsonl").read_text()
    assert '"web try"' in log
    assert "web: try boiler" in log
