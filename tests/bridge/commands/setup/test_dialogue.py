"""Questions and answers: Enter, n, b, a mistake, and nobody there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer

from bridge.commands.setup.dialogue import Back, Dialogue, NobodyToAsk


@pytest.fixture
def dialogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yield the lines that will be typed."""
    lines: list[str] = []
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: lines.pop(0))
    yield lines
    assert lines == [], "all of them were read"


def even(text: str) -> str:
    if len(text) % 2:
        raise ValueError("write an even number of letters")
    return text


def test_enter_is_yes_and_nothing_else_is_by_mistake(dialogue: list[str]) -> None:
    dialogue += ["", "maybe", "y", "n", "nein"]
    talk = Dialogue(is_silent=False)
    assert [talk.confirm("take it?") for _ in range(4)] == [True, True, False, False]


def test_b_goes_back_from_every_question(dialogue: list[str]) -> None:
    dialogue += ["b", "B", "b"]
    talk = Dialogue(is_silent=False)
    with pytest.raises(Back):
        talk.confirm("take it?")
    with pytest.raises(Back):
        talk.ask("name", option="--name", default="x")
    with pytest.raises(Back):
        talk.choose("which", ["a"], option="--which")


def test_an_answer_against_the_rule_is_asked_for_again(
    dialogue: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    dialogue += ["abc", "abcd"]
    assert Dialogue(is_silent=False).ask("word", option="--word", check=even) == "abcd"
    assert "write an even number of letters" in capsys.readouterr().out


def test_a_choice_is_a_number_or_a_word_that_fits_or_none(
    dialogue: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    dialogue += ["2", "3", "x", "1", "ab", ""]
    talk = Dialogue(is_silent=False)
    choose = lambda check=None: talk.choose("which", ["p", "q"], option="--which", check=check)  # noqa: E731
    assert choose() == "q"
    assert choose() == "p", "after 3 and x"
    assert choose(even) == "ab"
    assert choose() is None
    assert "write a number from 1 to 2" in capsys.readouterr().out


def test_where_nobody_can_be_asked_the_default_counts_or_the_option_is_named() -> None:
    talk = Dialogue(is_silent=True)
    assert talk.confirm("take it?")
    assert talk.ask("name", option="--name", default="x", check=even) == "x"
    assert talk.choose("which", ["a"], option="--which") is None
    with pytest.raises(NobodyToAsk, match="say it with --url"):
        talk.ask("server", option="--url")


def test_a_long_sentence_is_wrapped_at_words(capsys: pytest.CaptureFixture[str]) -> None:
    Dialogue(is_silent=True).tell("word " * 60)
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) > 2
    assert all(len(row) < 80 and row.startswith("  ") and not row.endswith("wor") for row in rows)
