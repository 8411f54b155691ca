"""Files that are too large or too deep, and files changed at random: sentences, at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bridge.config import load_credentials, load_site
from bridge.config.toml_bounds import MOST_BYTES, MOST_LEVELS, MOST_PARTS, out_of_bounds
from bridge.errors import ConfigError
from tests.bridge.config.conftest import GOOD, Mistakes
from tests.bridge.config.fuzz import fuzz, sources

AT_ONCE_S = 5.0  # on a loaded machine; it took 13 s, or for ever
MANY = 20_000
EXCESSIVE = {
    "a dotted key": "a." * MANY + "x = 1",
    "a dotted key with spaces": "a . " * MANY + "x = 1",
    "a dotted key in quotes": '"a".' * MANY + "x = 1",
    "a header": "[" + "a." * MANY + "x]",
    "an array of tables": "[[" + "a." * MANY + "x]]",
    "a list": "x = " + "[" * MANY + "]" * MANY,
    "an open list": "x = " + "[" * MANY,
    "a table": "x = " + "{ a = " * MANY + "1" + "}" * MANY,
    "tables of dotted keys": "x = " + "{ a.b.c = " * MANY,
    "a list over lines": "x = [\n" * MANY,
    "behind a text": 'y = "[[[[" # ...\n' + "a." * MANY + "x = 1",
}


@pytest.mark.parametrize("text", EXCESSIVE.values(), ids=EXCESSIVE)
@pytest.mark.parametrize("name", ["site.toml", "credentials.toml", "models/own.toml"])
def test_what_is_too_deep_is_refused_at_once(name: str, text: str, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(GOOD + '\n[[bus.meters.sensor]]\nname = "x"\naddress = 9\nevery = "1s"\nmodel = "own"\n')
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    began = time.monotonic()
    with pytest.raises(ConfigError) as raised:
        load_credentials(path) if name == "credentials.toml" else load_site(site)
    assert time.monotonic() - began < AT_ONCE_S
    mistakes = [mistake for mistake in raised.value.mistakes if mistake.startswith(str(path))]
    assert any("parts with dots" in mistake or "levels deep" in mistake for mistake in mistakes)


UNCLOSED = {
    "quotes": '"\\' * 5 * MANY,
    "three quotes": '"""' * 5 * MANY + '"',
    "spaces": "x = a" + " " * 10 * MANY + "b [",
    "an unknown word": "x = " + "a " * 10 * MANY,
    "unknown keys": "".join(f"k{number} = 1\n" for number in range(MANY)),
    "a number": "x = " + "9" * 50 * MANY,
}


@pytest.mark.parametrize("text", UNCLOSED.values(), ids=UNCLOSED)
def test_what_is_long_and_wrong_is_refused_at_once(text: str, mistakes: Mistakes) -> None:
    began = time.monotonic()
    said = mistakes(text)
    assert time.monotonic() - began < AT_ONCE_S
    assert said
    assert max(map(len, said)) < 4000


def test_a_file_too_large_is_refused_unread(mistakes: Mistakes) -> None:
    assert mistakes("#" * (MOST_BYTES + 1)) == ["site.toml: is larger than 2 MB: is this the right file?"]
    assert "larger" not in mistakes("#" * MOST_BYTES)[0]


@pytest.mark.parametrize("place", ["/dev/zero", "pipe"])
def test_what_never_ends_is_no_file(place: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="cannot be read: it is no regular file"):
        load_site(tmp_path / place)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a" + ".a" * (MOST_PARTS - 1), None),
        ("\n" + "a" + ".a" * MOST_PARTS, 2),
        ("x = " + "[" * MOST_LEVELS, None),
        ("\n\nx = " + "[" * (MOST_LEVELS + 1), 3),
        ("x = [" + "1.5, " * 100 + "]", None),
        ('x = "' + "." * 100 + '"', None),
        ("x = '" + "[" * 100 + "'", None),
        ('x = """' + "[\n." * 100 + '"""', None),
        ("x = '''" + "[\n." * 100 + "'''", None),
        ("# " + ". [" * 100, None),
        ('x = ["a\\"[[[["]\n' * 100, None),
        ("x = ''\ny = \"\"\n" * 100 + "[" * 99, 201),
    ],
)
def test_only_keys_and_brackets_count(text: str, line: int | None) -> None:
    excess = out_of_bounds(text)
    assert (excess and excess[0]) == line


def test_no_file_of_ours_comes_near() -> None:
    assert not any(map(out_of_bounds, sources()))


def test_files_changed_at_random_are_right_or_refused_in_sentences(tmp_path: Path) -> None:
    outcomes = fuzz(tmp_path, 400, 1)
    assert outcomes.total() == 400
    assert min(outcomes["right"], outcomes["refused"]) > 0
