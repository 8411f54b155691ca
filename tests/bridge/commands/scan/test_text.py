"""What a person reads of a scan: 80 columns, one sentence for each thing, and the next step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bridge.commands.scan.result import Ending, document, located_document, located_in
from bridge.commands.scan.survey import Progress
from bridge.commands.scan.text import find_lines, progress_line, summary
from protocols.toolkit.scanning import Evidence, Trouble
from tests.support.scan_screen import scan_lines, scanned_cabinet


def test_the_screen_fits_a_terminal() -> None:
    assert max(map(len, scan_lines())) < 80
    assert len(scan_lines()) < 24


def test_two_devices_with_one_address_are_said_with_the_next_step() -> None:
    (pair,) = (one for one in scanned_cabinet().finds if one.find.trouble is Trouble.TWO_DEVICES)
    text = " ".join(" ".join(find_lines(pair)).split())
    assert "two devices with one address" in text
    assert "disconnect one of them, and give it an address of its own" in text


def test_what_another_master_asks_is_told_by_what_was_heard() -> None:
    heard = scanned_cabinet().finds[0]
    find = replace(heard.find, evidence=Evidence.HEARD, trouble=Trouble.OTHER_MASTER, reasons=("3 replies",))
    assert "    3 replies" in list(find_lines(replace(heard, find=find)))


def test_the_last_line_is_the_next_step() -> None:
    result = scanned_cabinet()
    assert [*summary(result)][-1] == "next: serial-bridge setup"
    interrupted = [*summary(replace(result, ending=Ending.INTERRUPTED))]
    assert interrupted[-1] == "interrupted; to go on: serial-bridge scan /dev/ttyUSB0 --resume"
    port = f"/dev/serial/by-id/usb-{'FTDI' * 20}"
    interrupted = [*summary(replace(result, port=port, ending=Ending.INTERRUPTED))]
    assert interrupted[-1] == f"interrupted; to go on: serial-bridge scan {port} --resume", "in one line"
    assert "setup" not in " ".join(summary(replace(result, ending=Ending.NOT_OURS)))


def test_the_next_step_names_a_site_file_that_is_elsewhere() -> None:
    site, result = Path("/srv/a b/site.toml"), scanned_cabinet()
    interrupted = replace(result, ending=Ending.INTERRUPTED)
    assert [*summary(result, site)][-1] == "next: serial-bridge setup --site '/srv/a b/site.toml'"
    of_bus = [*summary(replace(interrupted, port="meters"), site)][-1]
    assert of_bus.endswith("scan meters --resume --site '/srv/a b/site.toml'")
    assert [*summary(interrupted, site)][-1].endswith("scan /dev/ttyUSB0 --resume"), "a port needs no site"


def test_a_find_comes_back_from_its_document() -> None:
    for located in scanned_cabinet().finds:
        again = located_in(located_document(located))
        assert (again.find, again.line) == (located.find, located.line)
    assert len(document(scanned_cabinet())["finds"]) == 4


def test_progress_tells_how_long_it_still_takes() -> None:
    line = progress_line(Progress("Modbus RTU at 9600 8N1, address 33", 130.0, 0.12))
    assert line.endswith("12%, at most 2 min left")
    assert len(line) < 80
