"""The report: the state of a site on one page, which opens anywhere and is the same for the same state."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import html5lib
import pytest
from typer.testing import CliRunner

from bridge.commands.report.content import Report, gather
from bridge.commands.report.page import page
from bridge.commands.report.pdf import NoPdf, pdf_of
from bridge.commands.terminal.app import app
from bridge.config import Site
from bridge.status.runtime import Runtime
from tests.support.played_site import HOSTILE, play, spool_readings, write_site
from tests.support.programs import program


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    site = write_site(tmp_path)
    spool_readings(site)
    play(site)
    return site


def text_of(html: str) -> str:
    """Return the text that a browser shows."""
    body = html5lib.parse(html, namespaceHTMLElements=False).find("body")
    return re.sub(r"\s+", " ", " ".join(body.itertext()))


def test_the_page_says_all_of_the_site(site: Site) -> None:
    text = text_of(page(gather(site)))
    for part in (
        "Site report: demo",
        "coap://127.0.0.1",
        "/dev/ttyUSB0",
        "9600 8N1",
        "eastron-sdm120",
        "registers in site.toml",
        "boiler does not answer: check its power",
        "21.5 °C",
        "read 5 = delivered 0 + queued 5 + expired 0 + refused 0 + dropped 0",
        "The books balance.",
        "18.4 ms, 99 of 100 within 41 ms",
        "temperature 9999 °C is implausible; compare its register",
    ):
        assert part in text, part
    assert text.index("boiler silent") < text.index("main-meter ok")  # what is wrong comes first
    assert re.search(r"Evidence [A-D]: ", text)


@pytest.mark.parametrize("language", ["en", "de"])
def test_it_is_html_without_a_mistake_and_needs_nothing_else(site: Site, language: str) -> None:
    html = page(gather(site), language)
    html5lib.HTMLParser(strict=True).parse(html)
    assert not re.search(r"<script|<link|<img|<iframe|url\(|https?://", html)
    assert html.count("<svg") == 9  # three charts of three sensors


@pytest.mark.skipif(shutil.which("tidy") is None, reason="needs tidy")
def test_another_reader_of_html_finds_no_mistake_either(site: Site) -> None:
    found = subprocess.run(
        ["tidy", "-quiet", "-errors", "--gnu-emacs", "yes"],
        input=page(gather(site)),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert [line for line in found.stderr.splitlines() if "Error:" in line] == []


def test_one_state_gives_one_report_whenever_it_is_written(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = page(gather(site))
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert page(gather(site)) == first


def test_another_state_gives_another_report(site: Site) -> None:
    first = page(gather(site))
    play(site, value=22.5)
    assert page(gather(site)) != first


def test_names_values_and_wire_texts_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    printable = "".join(char for char in HOSTILE if char.isprintable())
    site = write_site(tmp_path, third=printable)
    play(site, value=HOSTILE, trouble=HOSTILE)
    for language in ("en", "de"):
        html = page(gather(site), language)
        tree = html5lib.parse(html, namespaceHTMLElements=False)
        assert [element.tag for element in tree.iter() if element.tag in ("script", "img")] == []
        assert len(tree.findall(".//style")) == 1
        assert "\x1b" not in html
        assert "\u202e" not in html
        assert "{{7*7}}" in html  # nothing is evaluated
        assert "alert(1)" in text_of(html)  # nothing is hidden


def test_every_field_of_the_report_is_escaped(site: Site) -> None:
    report: Report = gather(site)
    texts = dict.fromkeys(("site", "version", "at", "server", "config_hash", "clock", "books"), HOSTILE)
    hostile = replace(
        report,
        **texts,
        troubles=[HOSTILE],
        buses=[type(bus)(*([HOSTILE] * 7)) for bus in report.buses],
        sensors=[
            replace(
                sensor,
                **dict.fromkeys(
                    ["name", "bus", "address", "model", "evidence", "state", "reason", "last_at", "books"],
                    HOSTILE,
                ),
                values=[(HOSTILE, HOSTILE)],
                doubts=[HOSTILE],
                counts=[(HOSTILE, HOSTILE)],
            )
            for sensor in report.sensors
        ],
    )
    tree = html5lib.parse(page(hostile), namespaceHTMLElements=False)
    assert [element.tag for element in tree.iter() if element.tag in ("script", "img")] == []


def test_before_anything_ran_there_is_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    text = text_of(page(gather(write_site(tmp_path))))
    assert "main-meter not running" in text
    assert "No history yet" in text


def test_a_sensor_that_left_the_site_with_readings_is_in_the_report(site: Site) -> None:
    text = site.path.read_text().replace('"main-meter"', '"new-meter"')
    site.path.write_text(text)
    from bridge.config import load_site

    assert "main-meter not configured" in text_of(page(gather(load_site(site.path))))


def test_a_damaged_history_is_no_history(site: Site, tmp_path: Path) -> None:
    (past,) = (tmp_path / "run").rglob("*.past")
    for damage in ("", "{", '{"pid": 1, "updated": 1, "boot_id": 3, "sensors": []}'):
        past.write_text(damage)
        assert Runtime(site.spool.path) is not None
        assert "No history yet" in text_of(page(gather(site)))


def test_chromium_makes_a_pdf_of_it(site: Site, tmp_path: Path) -> None:
    program("chromium")
    shown = CliRunner().invoke(app, ["report", "--pdf", "-", "--site", str(site.path)])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout_bytes.startswith(b"%PDF-")
    file = tmp_path / "missing" / "report.html"
    command = ["report", "--pdf", str(file), "--site", str(site.path)]
    refusal = CliRunner().invoke(app, command).exception
    assert str(refusal) == f"{file.with_suffix('.pdf')}: No such file or directory; name another file"
    file.parent.mkdir()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert [each.name for each in file.parent.iterdir()] == ["report.pdf"]
    assert file.with_suffix(".pdf").read_bytes().startswith(b"%PDF-")


def test_without_chromium_the_way_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoPdf, match="apt install chromium"):
        pdf_of("<p>")
