"""The index of lines names exactly the keys that tomllib finds, each on the line where it is written."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.toml_lines import KeyPath, nearest_line, toml_lines

MANY_FORMS = '''\
# a comment = "not a key"
site = "barn-7"   # [not.a.table]

"quoted key" = 1
'literal.key' = 2
"esc\\u00e9 \\"x\\"" = 3
a.b."c.d" = 4
a . e = 5
dates = [
  1979-05-27 07:32:00Z, # , ] }
  1979-05-27,
  [ "nested ]", 'and # this' ],
  { x = 1, y.z = "}" },
]
text = """
[not.a.table]
key = "no\\""" still inside
ends with two quotes"""""
raw = \'\'\'
[[nor.this]]
\'\'\'\'
empty = []
none = {}

[bus.meters]
line = "9600 8N1"

[[bus.meters.sensor]]
name = "one"
[bus.meters.sensor.registers]
t = { holding = 0, type = "int16" }

[[bus.meters.sensor]]
name = "two"
  [[bus.meters.sensor.parts]]
  n = 1
  [[bus.meters.sensor.parts]]
  n = 2
  [bus.meters.sensor.parts.deep]
  n = -inf
[bus]
late = +1_000.5e-3
[ spaced . "table" ]
x = true
[[bus.meters.sensor]]
'''

EXPECTED = {
    ("site",): 2,
    ("quoted key",): 4,
    ("literal.key",): 5,
    ('escé "x"',): 6,
    ("a",): 7,
    ("a", "b", "c.d"): 7,
    ("a", "e"): 8,
    ("dates",): 9,
    ("dates", 0): 10,
    ("dates", 1): 11,
    ("dates", 2, 1): 12,
    ("dates", 3, "y", "z"): 13,
    ("text",): 15,
    ("raw",): 19,
    ("empty",): 22,
    ("bus",): 41,
    ("bus", "meters"): 25,
    ("bus", "meters", "line"): 26,
    ("bus", "meters", "sensor"): 28,
    ("bus", "meters", "sensor", 0): 28,
    ("bus", "meters", "sensor", 0, "registers"): 30,
    ("bus", "meters", "sensor", 0, "registers", "t", "type"): 31,
    ("bus", "meters", "sensor", 1, "name"): 34,
    ("bus", "meters", "sensor", 1, "parts", 0): 35,
    ("bus", "meters", "sensor", 1, "parts", 1, "n"): 38,
    ("bus", "meters", "sensor", 1, "parts", 1, "deep", "n"): 40,
    ("bus", "late"): 42,
    ("spaced", "table", "x"): 44,
    ("bus", "meters", "sensor", 2): 45,
}


def paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    found = {path} - {()}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found |= paths(inner, (*path, key))
    return found


def parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def test_each_key_is_found_on_its_line() -> None:
    lines = toml_lines(MANY_FORMS)
    assert {path: lines[path] for path in EXPECTED} == EXPECTED


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_keys_are_those_that_tomllib_finds(newline: str) -> None:
    text = MANY_FORMS.replace("\n", newline)
    assert set(toml_lines(text)) == paths(tomllib.loads(text))
    assert toml_lines(text) == toml_lines(MANY_FORMS)


@pytest.mark.parametrize(
    "text", ["", "\n", "# only a comment", "a=1", "a=1 # x", "a=[]", "[a]", "[[a]]", "a={}"]
)
def test_the_shortest_files_end_well(text: str) -> None:
    assert set(toml_lines(text)) == paths(tomllib.loads(text))


def test_a_missing_key_is_placed_at_its_table() -> None:
    lines = toml_lines("\n[a]\nb = 1\n")
    assert nearest_line(lines, ("a", "missing", "below")) == 2
    assert nearest_line(lines, ("missing",)) == 1


keys = st.sampled_from(["a", "b", '"c d"', "'e.f'", '"\\"g"', "1"])
dotted = st.lists(keys, min_size=1, max_size=3).map(".".join)
scalars = st.sampled_from(
    ["1", "-0.5e3", "true", "07:32:00", "1979-05-27 07:32:00", '"#]}"', "'\\'", '"\\\\"', '"\\""', '""', "''"]
) | st.sampled_from(['"""\n"x""y"""', "'''\n''x'''", '"""a"""""', '"""\\""""', "''''a'''"])
gaps = st.sampled_from(["", " ", "\n", " # , ] [x]\n\t"])


def lists(of: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def write(items: list[str], gap: str, last: str) -> str:
        return f"[{gap}" + f"{gap},{gap}".join(items) + (f"{gap}," if items and last else "") + f"{gap}]"

    return st.builds(write, st.lists(of, max_size=3), gaps, st.sampled_from(["", ","]))


def inline_tables(of: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.builds("{} = {}".format, dotted, of), max_size=3)
    return pairs.map(lambda items: "{ " + ", ".join(items) + " }")


values = st.recursive(scalars, lambda of: lists(of) | inline_tables(of), max_leaves=6)
statements = (
    st.builds("{} = {}".format, dotted, values)
    | st.builds("[{}]".format, dotted)
    | st.builds("[[{}]] # x".format, dotted)
    | st.sampled_from(["", "# a = 1", "   "])
)


@given(st.lists(statements, max_size=12))
def test_whatever_tomllib_accepts_is_indexed(candidates: list[str]) -> None:
    """Statements that would break the file are left out; each key's line is the first that the file needs."""
    text, first_line, expected = "", 1, {}
    for statement in candidates:
        longer = text + statement + "\n"
        data = parsed(longer)
        if data is None:
            continue
        for path in paths(data) - set(expected):
            expected[path] = range(first_line, first_line + statement.count("\n") + 1)
        text, first_line = longer, longer.count("\n") + 1
    lines = toml_lines(text)
    assert set(lines) == set(expected)
    headers = {number for number, line in enumerate(text.split("\n"), 1) if line.startswith("[")}
    for path, line in lines.items():
        assert line in expected[path] or line in headers
