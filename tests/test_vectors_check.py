"""`make vectors` finds what is wrong: each vector here is planted, or spoiled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import vectors_check
from tests.protocols.vector_file import VectorFile
from tests.protocols.vectors import Vector, vectors


def folder(tmp_path: Path, planted: list[Vector], name: str = "dlt645") -> Path:
    (tmp_path / f"{name}.json").write_text(json.dumps(planted))
    return tmp_path


def good(direction: str, is_valid: bool = True) -> Vector:
    return next(
        vector
        for vector in vectors("dlt645")
        if (vector["direction"], vector["valid"]) == (direction, is_valid)
    )


def put(vector: Vector, key: str, value: object) -> Vector:
    return vector | {"expected": vector["expected"] | {key: value}}


@pytest.mark.parametrize(
    ("spoiled", "column"),
    [
        pytest.param(lambda: good("response") | {"hex": "fe00"}, "valid", id="no frame"),
        pytest.param(
            lambda: good("response") | {"hex": good("response")["hex"] + "00"}, "valid", id="a stray octet"
        ),
        pytest.param(
            lambda: good("response") | {"hex": good("response")["hex"] * 2}, "valid", id="two frames"
        ),
        pytest.param(lambda: good("response") | {"valid": False}, "invalid refused", id="a false accept"),
        pytest.param(lambda: put(good("stream"), "frames", []), "streams exact", id="a frame not listed"),
        pytest.param(
            lambda: good("stream") | {"hex": "00" + good("stream")["hex"]}, "streams exact", id="shifted"
        ),
        pytest.param(lambda: put(good("response"), "control", 0), "values equal", id="another number"),
        pytest.param(lambda: put(good("response"), "control", "156"), "values equal", id="a text"),
        pytest.param(lambda: put(good("response"), "power", None), "values equal", id="not told"),
        pytest.param(lambda: put(good("response"), "list", []), "values equal", id="no list"),
        pytest.param(
            lambda: put(good("response"), "decoded", {"power": 1e9}), "values equal", id="nowhere told"
        ),
    ],
)
def test_what_is_wrong_is_counted_where_it_belongs(
    tmp_path: Path, spoiled: Callable[[], Vector], column: str
) -> None:
    vector = spoiled()
    (tally,), _ = vectors_check.check(folder(tmp_path, [vector]), vectors_check.here)
    head, row = vectors_check.table([tally])
    right, _, of = row[head.index(column)].partition(" of ")
    assert int(right) < int(of)
    assert any(what.startswith(vector["id"]) and column in what for what in tally.missed)


def test_the_real_command_is_asked_and_what_was_missed_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder(tmp_path, [good("response"), good("response", is_valid=False), good("stream")])
    assert vectors_check.main(tmp_path) == 0
    folder(tmp_path, [good("response")], "morse")
    (tmp_path / "devices.json").write_text('[{"name": "a meter, no frame"}]')
    folder(tmp_path, [good("response") | {"valid": False}, good("stream") | {"optional": "or not"}])
    capfd.readouterr()
    assert vectors_check.main(tmp_path) == 1
    head, row, strange, optional, missed = capfd.readouterr().out.splitlines()
    assert head.split("  ")[0] == "protocol"
    assert " ".join(row.split()) == "`dlt645` 0 of 0 0 of 1 0 of 0 0 of 0"
    assert strange.split(maxsplit=1) == ["`morse`", "no such protocol"]
    assert optional.startswith(f"not counted, two readings are defensible: {good('stream')['id']}: ")
    assert missed == f"missed: {good('response')['id']}: invalid refused?"


def test_a_command_that_fails_is_not_taken_for_one_that_refuses(tmp_path: Path) -> None:
    refused = good("response", is_valid=False)
    (tally,), _ = vectors_check.check(folder(tmp_path, [refused]), lambda name, lines: [])
    assert tally.missed == [f"{refused['id']}: every octet in one event?"]


def test_a_tolerance_is_heeded_and_no_more(tmp_path: Path) -> None:
    number = good("response")["expected"]["control"]
    for off, is_missed in ((0.4, False), (0.6, True)):
        vector = put(good("response"), "control", number + off) | {"tolerance": {"control": 0.5}}
        (tally,), _ = vectors_check.check(folder(tmp_path, [vector]), vectors_check.here)
        assert bool(tally.missed) == is_missed


@pytest.mark.parametrize(
    ("told", "is_missed"),
    [
        ({}, False),
        ({"value": 46.3}, True),
        ({"storage": 0}, True),
        ({"value": 46.6000004}, False),
        ({"value": 46.60001}, True),
    ],
)
def test_what_libmbus_prints_is_held_against_ours(
    tmp_path: Path, told: dict[str, object], is_missed: bool
) -> None:
    printed = {"function": "Instantaneous value", "quantity": "Volume", "unit": "m^3", "value": "46.600000"}
    time = {"function": "Maximum value", "quantity": "Time point", "value": "2014-03-12T14:23:00Z"}
    rest = {"function": "Manufacturer specific", "quantity": "", "value": "03 20", "storagenumber": 0}
    records = [printed | {"storagenumber": 1, "number": 46.6}, time | {"storagenumber": 0}, rest]
    expected = {"product_name": "a name", "medium": "Warm water (30-90Â°C)", "records": records}
    fields = {
        "medium": "Warm water (30-90°C)",
        "records": [
            {"name": "volume", "value": 46.6, "storage": 1} | told,
            {"value": "2014-03-12T14:23", "storage": 0},
        ],
    }
    vector = good("response") | {"expected": expected}
    line = json.dumps({"stream": 0, "offset": 0, "frame": vector["hex"], "fields": fields})
    (tally,), _ = vectors_check.check(folder(tmp_path, [vector]), lambda name, lines: [line])
    assert bool(tally.missed) == is_missed
    assert sum(tally.all) == 1 + 5  # the frame, the medium, and two numbers of each record


def test_a_file_may_say_what_holds_for_all_its_vectors_or_be_the_list_alone(tmp_path: Path) -> None:
    planted = [good("response")]
    for content in (planted, {"names": {"a": "b"}, "vectors": planted}):
        (tmp_path / "dlt645.json").write_text(json.dumps(content))
        (tally,), _ = vectors_check.check(tmp_path, vectors_check.here)
        assert (tally.missed, tally.all[0]) == ([], 1)


def test_a_gap_is_in_the_frames_and_octets_that_the_file_names(tmp_path: Path) -> None:
    gaps = [
        {"frames": "^[^\\x01\\x02]", "reason": "has no check"},
        {"octets": [1], "reason": "the check begins behind it"},
    ]
    (tmp_path / "made_up.json").write_text(json.dumps({"open": gaps, "vectors": []}))
    file = VectorFile.read(tmp_path / "made_up.json")
    assert file.uncovered(b"\x02abc") == {1}
    assert file.uncovered(b"/abc") == {0, 1, 2, 3}
    (tmp_path / "made_up.json").write_text(json.dumps({"gaps": gaps, "vectors": []}))
    with pytest.raises(TypeError, match="gaps"):
        VectorFile.read(tmp_path / "made_up.json")
