"""Captures are read back as they were written, octet for octet and microsecond for microsecond."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.captures import Direction, Record, open_capture, read
from bridge.captures.record import NotACapture
from tests.support.programs import program

FORMS = ("pcapng", "jsonl")
RECORDS = st.lists(
    st.builds(
        Record,
        st.integers(0, 4_000_000_000 * 1_000_000),
        st.binary(min_size=1, max_size=300),
        st.sampled_from(Direction),
    ),
    max_size=20,
)
REQUEST, REPLY = bytes.fromhex("010300000003 05CB"), bytes.fromhex("010306 000A 000B 000C 9D 75")


def written(path: Path, records: list[Record]) -> Path:
    path.unlink(missing_ok=True)
    capture = open_capture(path)
    for record in records:
        capture.write(record)
    capture.close()
    return path


@pytest.mark.parametrize("form", FORMS)
@given(records=RECORDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_written_is_read(form: str, records: list[Record], tmp_path: Path) -> None:
    assert list(read(written(tmp_path / f"line.{form}", records))) == records


@pytest.mark.parametrize("form", FORMS)
def test_a_record_is_in_the_file_at_once(form: str, tmp_path: Path) -> None:
    path, record = tmp_path / f"line.{form}", Record(1_700_000_000_123_456, REQUEST)
    capture = open_capture(path)
    capture.write(record)
    assert list(read(path)) == [record]
    capture.close()


@pytest.mark.parametrize("form", FORMS)
def test_a_capture_is_never_written_over(form: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"line.{form}", [Record(1, b"a")])
    with pytest.raises(FileExistsError):
        open_capture(path)


def test_a_file_that_breaks_off_says_where(tmp_path: Path) -> None:
    path = written(tmp_path / "line.pcapng", [Record(1, REQUEST), Record(2, REPLY)])
    path.write_bytes(path.read_bytes()[:-5])
    records = read(path)
    assert next(records) == Record(1, REQUEST)
    with pytest.raises(NotACapture, match="breaks off after packet 1"):
        next(records)


def test_a_last_line_that_was_not_finished_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "line.jsonl", [Record(1, REQUEST), Record(2, REPLY)])
    path.write_bytes(path.read_bytes()[:-5])
    assert list(read(path)) == [Record(1, REQUEST)]


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "line.jsonl"
    path.write_text('{"t": 1, "hex": "01"}\n{"t": 2}\n')
    records = read(path)
    assert next(records) == Record(1_000_000, b"\1")
    with pytest.raises(NotACapture, match=r"line\.jsonl:2: "):
        next(records)


def test_wireshark_reads_what_is_written(tmp_path: Path) -> None:
    records = [
        Record(1_700_000_000_123_456, REQUEST, Direction.SENT),
        Record(1_700_000_000_173_456, REPLY, Direction.RECEIVED),
    ]
    path = written(tmp_path / "line.pcapng", records)
    shown = subprocess.run(
        [program("tshark"), "-r", path, "-T", "json", "-x"],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    first, second = (packet["_source"]["layers"] for packet in json.loads(shown.stdout))
    assert "rtacser" in first
    assert first["frame"]["frame.time_epoch"].startswith("1700000000.123456")
    assert second["rtacser"]["rtacser.eventtype"] in ("2", "0x02")
    assert first["frame_raw"][0].endswith(REQUEST.hex())
    assert second["frame_raw"][0].endswith(REPLY.hex())


def test_a_capture_that_cannot_be_begun_leaves_no_file(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*line\.pcapng"):
            open_capture(tmp_path / "line.pcapng")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
