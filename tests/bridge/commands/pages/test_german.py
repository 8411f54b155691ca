"""The pages in German: sentences of the classifier with their details, states and counters word by word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.causes import Cause, diagnosis
from bridge.commands.pages.charts import charts
from bridge.commands.pages.environment import STYLE
from bridge.commands.pages.german import GERMAN, WORDS, in_words, translated
from bridge.commands.status.sentences import COLUMNS
from bridge.commands.web.views import LINE_FIGURES
from bridge.port.port import State as PortState
from bridge.reader.group import SensorState
from bridge.status.line_history import Bucket

TEMPLATES = STYLE.with_name("templates")


@pytest.mark.parametrize("cause", list(Cause))
def test_each_sentence_of_the_classifier_is_said_in_german(cause: Cause) -> None:
    for detail in ("", "0x10 at 40001"):
        english = str(diagnosis(cause, detail))
        german = translated(f"soil {english}")
        assert german.startswith("soil ")
        assert german != f"soil {english}"
        assert detail in german or detail not in english


def test_a_sentence_that_nobody_knows_stays_as_it_is() -> None:
    assert translated("the cat sleeps") == "the cat sleeps"


def test_each_state_and_counter_has_a_german_word() -> None:
    states = {state.value for state in (*PortState, *SensorState)} - {"ok"}
    counters = {name.replace("_", " ") for name in LINE_FIGURES}
    assert states | counters | set(COLUMNS) <= WORDS.keys()


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.stem)
def test_each_label_of_a_template_has_its_german(template: Path) -> None:
    text = template.read_text("utf-8")
    labels = {*re.findall(r'_\("([^"]+)"\)', text), *re.findall(r'\("/\w*", "(\w+)"\)', text)}
    assert labels <= GERMAN.keys()


def test_each_title_of_a_chart_has_its_german() -> None:
    bucket = Bucket(1, 2, 1, 20.0, 30.0, 40.0)
    pictures = charts([bucket])
    titles = {picture.title for picture in pictures} | {
        curve.name for picture in pictures for curve in picture.curves
    }
    assert len(pictures) == 3
    assert titles <= GERMAN.keys()


def test_a_line_of_states_and_counts_is_said_word_by_word() -> None:
    line = "3 sensors: 1 no port, 1 slowed, 1 ok, 5 queued, uplink backing off"
    assert in_words(line) == (
        "3 Sensoren: 1 ohne Anschluss, 1 gebremst, 1 ok, 5 wartend, Uplink wartet vor dem nächsten Versuch"
    )
    assert in_words("waiting for the first answer, 5 s") == "wartet auf die erste Antwort, 5 s"
