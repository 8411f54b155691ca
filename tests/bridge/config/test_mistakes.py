"""Each mistake in site.toml is one line: file, line, key, rule and value, and how to put it right."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.config import load_site
from bridge.errors import ConfigError
from protocols import CATALOGUE
from tests.bridge.config.conftest import GOOD, SITES, Mistakes

SLIPS = [block for block in (SITES / "slips.txt").read_text().split("\n\n") if not block.startswith("#")]


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_named_with_its_line_and_its_fix(slip: str, mistakes: Mistakes, tmp_path: Path) -> None:
    lines = slip.splitlines()
    out = "".join(f"{line[2:]}\n" for line in lines if line.startswith("- "))
    into = "".join(f"{line[2:]}\n" for line in lines if line.startswith("+ "))
    stands_for = {"FOLDER": str(tmp_path), "CATALOGUE": ", ".join(CATALOGUE)}
    told = [line for line in lines if not line.startswith(("- ", "+ "))]
    for name, text in stands_for.items():
        told = [line.replace(name, text) for line in told]
    assert GOOD.count(f"\n{out}") + GOOD.startswith(out) == 1
    assert mistakes(GOOD.replace(out, into)) == told


def test_the_good_file_has_no_mistake(mistakes: Mistakes) -> None:
    assert mistakes(GOOD) == []


def test_every_mistake_of_a_file_is_named_at_once_and_in_order(mistakes: Mistakes) -> None:
    text = (SITES / "many.toml").read_text()
    marked = [number for number, line in enumerate(text.splitlines(), 1) if line.endswith("#!")]
    assert len(marked) >= 12
    assert [int(mistake.split(":")[1]) for mistake in mistakes(text)] == marked


def test_sensors_that_cannot_share_a_bus_are_named_also_beside_other_mistakes(mistakes: Mistakes) -> None:
    first, second, roof = GOOD.partition('\n[[bus.meters.sensor]]\nname = "soil"')
    assert mistakes(first.replace("address = 1", "address = 247")) == []
    wrong = (
        first.replace("address = 1", "address = 0") + second + roof.replace("address = 2", "address = 247")
    )
    third = '\n[[bus.meters.sensor]]\nname = "third"\naddress = 247\nevery = "1s"\n'
    rule = "247 is for the only sensor of a bus, use 1–246"
    assert mistakes(wrong.replace("\n[bus.roof]", f"{third}\n[bus.roof]")) == [
        "site.toml:24: bus.meters.sensor[1].address: 0 is not a unit address, use 1–247",
        f"site.toml:30: bus.meters.sensor[2].address: {rule}",
        f"site.toml:41: bus.meters.sensor[3].address: {rule}",
    ]


def test_the_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "folder" / ".." / "site.toml"
    (tmp_path / "folder").mkdir()
    path.write_text("lanes")
    with pytest.raises(ConfigError) as raised:
        load_site(path)
    assert str(raised.value).startswith(f"{path}:1: ")


@pytest.mark.parametrize("text", ["", "\n\n# nothing yet\n"])
def test_an_empty_file_is_told_what_it_needs(text: str, mistakes: Mistakes) -> None:
    assert sorted(mistakes(text)) == [
        'site.toml:1: site: is missing, for example: site = "barn-7"',
        'site.toml:1: thingsboard.url: is missing, for example: url = "coap://tb.example.com"',
    ]


def test_a_file_that_cannot_be_read_is_one_mistake(tmp_path: Path) -> None:
    for name in ("missing.toml", "folder", "a-file/below.toml"):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "a-file").touch()
        with pytest.raises(ConfigError) as raised:
            load_site(tmp_path / name)
        assert len(raised.value.mistakes) == 1
        assert raised.value.mistakes[0].startswith(f"{tmp_path / name}: ")


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (GOOD.replace("moisture", "höhe").encode("latin-1"), 37, "not UTF-8"),
        (GOOD.encode("utf-16"), 1, "UTF-16"),
        (b"\xff\xfe\x00", 1, "UTF-16"),
        (b"site = 'x'\n\xff", 2, "not UTF-8"),
    ],
)
def test_another_encoding_is_named(data: bytes, line: int, words: str, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as raised:
        load_site(path)
    assert raised.value.mistakes[0].startswith(f"{path}:{line}: the file ")
    assert words in str(raised.value)
    assert '"UTF-8"' in str(raised.value)


def test_a_file_saved_on_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").replace(" = ", "\t=\t").encode())
    assert load_site(path).name == "barn-7"


def test_deep_nesting_and_endless_numbers_are_mistakes(mistakes: Mistakes) -> None:
    assert len(mistakes("a = " + "[" * 5000)) == 1
    assert len(mistakes("a = " + "9" * 5000)) == 1
    assert mistakes("a = [0,\n { b = 0x10000000000000000 }]") == [
        "site.toml:2: a[2].b: the number needs more than 64 bits"
    ]


LINES = GOOD.splitlines(keepends=True)
garbage = st.text(st.sampled_from("[]{}=.,\"'\\#\n \t019axT-–\x00\ud83d"), max_size=4)


@st.composite
def garbled(draw: st.DrawFn) -> str:
    """Return the good file after one to four accidents of an editor."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["delete", "double", "move", "garble", "swap"])):
            case "delete":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(draw(st.integers(0, len(lines))), lines[at])
            case "garble":
                start = draw(st.integers(0, len(lines[at])))
                end = draw(st.integers(start, len(lines[at])))
                lines[at] = lines[at][:start] + draw(garbage) + lines[at][end:]
            case _:
                value = draw(
                    st.sampled_from(['"x"', "1", "-1", "true", "1.5", "[]", "{}", "[{}]", "1979-05-27", '""'])
                )
                lines[at] = lines[at].partition("=")[0] + f"= {value}\n"
    return "".join(lines)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=garbled())
def test_a_garbled_file_is_loaded_or_its_mistakes_named(text: str, mistakes: Mistakes) -> None:
    for mistake in mistakes(text):
        assert mistake.startswith("site.toml:")
        assert "\n" not in mistake
        line = int(mistake.split(":")[1])
        assert 1 <= line <= text.count("\n") + 1
