"""What a key's value may be: strictly one kind, in words that show no secret."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.keys import NOT_WRITTEN, Table, Written, keys_of
from bridge.config.kinds import Check, Choice, Context, File, Flag, Kind, Number, OnlyBeside, Text, Whole
from bridge.config.quantities import Duration

ANYTHING = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.dates(), st.lists(st.integers(), max_size=2)
)
KINDS = [Text(), File(), Flag(), Number(0, 10), Whole(0, 10), Choice(("one", "other")), Duration("0s", "1h")]


def outcome(kind: Kind, value: object, at: Context) -> tuple[object, str]:
    """Return what the kind makes of a value, or the sentence."""
    try:
        return kind.read(value, at), ""
    except ValueError as error:
        return None, str(error)


def context(*, is_secret: bool = False, **fields: object) -> Context:
    return Context(Path("/etc"), is_secret, fields)


@given(value=ANYTHING)
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_read_or_refused_in_one_sentence(kind: Kind, value: object) -> None:
    result, sentence = outcome(kind, value, context())
    assert sentence.isprintable()
    assert sentence or type(result) is type(value) or isinstance(kind, File | Number | Duration)


@given(value=st.text("xyz", min_size=4) | st.integers(1000, 10**9) | st.floats(1001.5, 1e9))
@pytest.mark.parametrize("kind", [kind for kind in KINDS if not isinstance(kind, File | Duration)])
def test_no_sentence_shows_a_secret(kind: Kind, value: object) -> None:
    assert str(value) not in outcome(kind, value, context(is_secret=True))[1]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Text(), 5),
        (Flag(), "true"),
        (Flag(), 1),
        (Whole(0, 10), True),
        (Whole(0, 10), 1.0),
        (Whole(0, 10), "1"),
        (Whole(0, 10), 11),
        (Number(), True),
        (Number(), float("nan")),
        (Number(), float("inf")),
        (Number(0), -0.5),
        (Choice(("one", "other")), "One"),
        (Choice(("one", "other")), 1),
        (File(), ""),
        (File(), "a\nb"),
    ],
)
def test_what_is_nearly_right_is_wrong(kind: Kind, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        kind.read(value, context())


def test_a_path_is_relative_to_the_file_that_names_it() -> None:
    assert File().read("ca.pem", context()) == Path("/etc/ca.pem")
    assert File().read("/srv/ca.pem", context()) == Path("/srv/ca.pem")


@pytest.mark.parametrize(("fields", "is_refused"), [({"a": 1}, True), ({"a": 2}, False), ({}, False)])
def test_a_key_beside_a_wrong_one_is_not_blamed(fields: dict[str, int], is_refused: bool) -> None:
    rule = OnlyBeside("a", lambda value: value == 2, "this needs a = 2")
    if is_refused:
        with pytest.raises(ValueError, match="this needs a = 2"):
            rule.apply("x", context(**fields))
    else:
        assert rule.apply("x", context(**fields)) == "x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(Table):
    """A table with a field of each sort."""

    place: Annotated[str, NOT_WRITTEN]
    name: Annotated[str, Check(str.upper), Written(example="ada")]
    every_s: Annotated[float, Duration("0s", "1h"), Written("every")] = 1.0
    mode: Literal["fast", "slow"] = "fast"
    limit: Annotated[int | None, Whole(1, 8)] = None


def test_a_table_declares_its_keys() -> None:
    keys = Example.fields_by_key()
    assert list(keys) == ["name", "every", "mode", "limit"]
    assert [key.field for key in keys_of(Example)] == ["place", "name", "every_s", "mode", "limit"]
    assert [name for name, key in keys.items() if key.default is None] == ["name"]
    assert keys["name"].read("ada", context()) == "ADA"
    assert keys["every"].read("2m", context()) == 120
    assert keys["every"].absent() == 1.0
    assert keys["limit"].absent() is None
    with pytest.raises(ValueError, match=r"^9 is out of range, use 1–8$"):
        keys["limit"].read(9, context())
    with pytest.raises(ValueError, match=r'^"quick" is not known here, use "fast" or "slow"$'):
        keys["mode"].read("quick", context())
    with pytest.raises(ValueError, match=r'^is missing, for example: name = "ada"$'):
        keys["name"].absent()
