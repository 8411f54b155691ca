"""Words of other programs: what to write instead is said, with the value that stands there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import load_site
from bridge.config.foreign_words import line_text, meaning
from bridge.config.places import plain_bus_name
from bridge.errors import ConfigError
from protocols.modbus.foreign_words import foreign_words
from protocols.modbus.register_keys import KEYS
from protocols.toolkit.polling import LineSettings
from tests.bridge.config.conftest import SITES

CABINET = (SITES / "cabinet.toml").read_text()
SLIPS = [
    block for block in (SITES / "installer_slips.txt").read_text().split("\n\n") if not block.startswith("#")
]


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.splitlines()[-1])
def test_what_another_program_would_take_is_answered_with_what_to_write(
    slip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = slip.splitlines()
    out = "".join(f"{line[2:]}\n" for line in lines if line[:2] in ("- ", "-"))
    into = "".join(f"{line[2:]}\n" for line in lines if line[:2] in ("+ ", "+"))
    expected = [line for line in lines if line[:1] not in "+-"]
    assert CABINET.count(out) == 1
    monkeypatch.chdir(tmp_path)
    Path("site.toml").write_text(CABINET.replace(out, into))
    sentences: list[str] = []
    try:
        sentences += [f"warning {warning}" for warning in load_site(Path("site.toml")).warnings]
    except ConfigError as error:
        sentences += error.mistakes
    assert len(sentences) == len(expected), sentences
    for sentence, line in zip(sentences, expected, strict=True):
        is_warning = line.startswith("warning ")
        number, _, part = line.removeprefix("warning ").partition(" ")
        assert sentence.startswith(f"{'warning ' if is_warning else ''}site.toml:{number}: ")
        assert part in sentence


def test_there_are_more_than_fifty_of_them() -> None:
    assert len(SLIPS) >= 53


def test_the_cabinet_has_no_mistake_and_nothing_odd(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(CABINET)
    assert load_site(tmp_path / "site.toml").warnings == ()


def test_a_word_in_a_secret_file_shows_no_value(tmp_path: Path) -> None:
    from bridge.config import load_credentials

    path = tmp_path / "credentials.toml"
    path.write_text('device = "A1_TEST_TOKEN"\ntoken = "A1_TEST_TOKEN"\n')
    path.chmod(0o600)
    with pytest.raises(ConfigError) as mistakes:
        load_credentials(path, None)
    assert "A1_TEST_TOKEN" not in str(mistakes.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("9600,8,N,1", "9600 8N1"),
        ("9600/8-N-1", "9600 8N1"),
        ("19200 E 8 1", "19200 8E1"),
        ("115200bps 8n1", "115200 8N1"),
        ("8N1 9600", "9600 8N1"),
        ("9600 8 none 1", "9600 8N1"),
        ("9600", None),
        ("8N1", None),
        ("9600 8X1", None),
        ("", None),
    ],
)
def test_line_settings_in_other_notations(text: str, line: str | None) -> None:
    assert line_text(text) == line


@given(st.text())
def test_any_text_as_line_settings_is_read_or_not(text: str) -> None:
    line = line_text(text)
    assert line is None or line.split(" ")[1][0] in "78"


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans(), st.floats(), st.none())))
def test_no_table_is_too_odd_to_be_answered(table: dict[str, object]) -> None:
    for key in table:
        meaning(key, table, ("line", "adapter", "address", "every", "url"), ())
    foreign_words(table, KEYS)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Zähler", "zaehler"),
        ("Größe 2", "groesse_2"),
        ("étage-1", "etage_1"),
        ("2te", "bus_2te"),
        ("電力", "bus"),
        ("x" * 70, "x" * 64),
    ],
)
def test_a_bus_name_becomes_the_nearest_plain_one(name: str, plain: str) -> None:
    assert plain_bus_name(name) == plain


def test_every_suggested_line_is_one() -> None:
    for parity in ("none", "even", "odd", "N", 0, 2):
        words = {"baudrate": 9600, "parity": parity, "stopbits": 2}
        advice = meaning("parity", words, ("line",), ())
        assert advice is not None
        LineSettings.parse(advice.advice.partition('"')[2].rstrip('"'))
