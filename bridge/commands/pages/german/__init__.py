"""The pages in German: labels word for word, sentences by their pattern, states and counters as words.

A sentence reaches a page already composed, with names, values and other sentences in it: findings of
`doctor`, doubts, answers of the server. So the catalogue has each sentence of the sources with its places in
braces. A sentence is recognised by its fixed parts, and said in German with what stood in its places, each in
German too where it is a sentence itself. A test compares the catalogue with the sources.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

from bridge.causes import diagnosis
from bridge.commands.pages.german.causes import CAUSES
from bridge.commands.pages.german.doctor import DOCTOR
from bridge.commands.pages.german.labels import GERMAN
from bridge.commands.pages.german.reading import READING
from bridge.commands.pages.german.refusals import REFUSALS
from bridge.commands.pages.german.scanning import SCANNING
from bridge.commands.pages.german.server import SERVER
from bridge.commands.pages.german.status import STATUS
from bridge.commands.pages.german.words import WORDS

__all__ = ["GERMAN", "SENTENCES", "WORDS", "in_words", "translated"]

_PLACE: Final = re.compile(r"\{(\w+)\}")
_CATALOGUE: Final = {**DOCTOR, **READING, **SERVER, **STATUS, **SCANNING, **REFUSALS}
SENTENCES: Final = {
    english: _CATALOGUE[english]
    for english in sorted(_CATALOGUE, key=lambda english: len(_PLACE.sub("", english)), reverse=True)
}
"""Each sentence in German by its English, both with their places in braces; the longest fixed parts first."""

_JOINED: Final = {form: form for form in ("{first}; {second}", "{listed}, {second}", "{what} ({why})")}
_MARK: Final = "\N{OBJECT REPLACEMENT CHARACTER}"
_ANY_WORD: Final = "(?:" + "|".join(sorted(WORDS, key=len, reverse=True)) + ")"
_WORD: Final = re.compile(rf"\b{_ANY_WORD}\b")
_NESTED: Final = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))"  # a character, or brackets with what is in them
_SHAPES: Final = {
    "bus": "[a-z][a-z0-9_]*",
    "state": rf"(?:\d+ )?{_ANY_WORD}(?:, (?:\d+ )?{_ANY_WORD})*",
    "age": r"[\d.]+ \w+",
    "count": r"\d+",
    "times": r"(?:once|\d+ times) within a day, last .*? ago",
    "heard": r"(?:, \d+ more heard)?",
    "sent": r"(?:\d+ octets sent in )?",
    "key": "[^;]*?",
    "value": "[^;]*?",
    "raw": "[0-9A-F ]*",
    "grade": "[A-D]",
    "first": rf"{_NESTED}*?",
    "listed": rf"{_NESTED}*?\({_NESTED}*?\)",
    "line": r".*?\d+ [78][NEO][12].*?",
    "waiting": "[^;]*the system clock shows[^;]*",
    "device_file": "[^ ]+",
    "other_file": "[^ ]+",
}
"""What may stand in a place, where anything would be too much."""
_WORDS_IN: Final = ("state", "parts")


@lru_cache(1024)
def translated(sentence: str) -> str:
    """Return a sentence in German; one that is in no catalogue as it is."""
    return (
        _in_german(sentence, SENTENCES) or _diagnosis(sentence) or _in_german(sentence, _JOINED) or sentence
    )


def in_words(line: str) -> str:
    """Return a state, the name of a counter or a line of such in German; what is none of them stays."""
    return _WORD.sub(lambda word: WORDS[word[0]], line)


def _in_german(sentence: str, catalogue: dict[str, str]) -> str:
    """Return a sentence in German, what stands in its places too; "" if the catalogue does not have it."""
    for english in catalogue:
        if match := _pattern(english).fullmatch(sentence):
            places = {place: _in_place(place, text) for place, text in match.groupdict("").items()}
            return catalogue[english].format_map(places)
    return ""


def _in_place(place: str, text: str) -> str:
    return in_words(text) if place in _WORDS_IN else translated(text)


def _diagnosis(sentence: str) -> str:
    """Return a sentence of the classifier in German, whatever stands before it; "" for another one."""
    for pattern, observation, step in _causes():
        if match := pattern.search(sentence):
            places = match.groupdict("")
            observed = observation.replace("{}", translated(places.get("detail", "")), 1)
            rest = translated(sentence[match.end() :])
            return f"{sentence[: match.start()]}{observed}: {step or translated(places['step'])}{rest}"
    return ""


@cache
def _pattern(english: str) -> re.Pattern[str]:
    """Return what matches a sentence, with each of its places as a group."""
    parts = _PLACE.split(english)  # text, place, text, …
    groups = [
        f"(?P<{part}>{_SHAPES.get(part, '.*?')})" if at % 2 else re.escape(part)
        for at, part in enumerate(parts)
    ]
    return re.compile("".join(groups))


@cache
def _causes() -> list[tuple[re.Pattern[str], str, str]]:
    """Return for each cause what its English looks like, and its German: observation and next step.

    The step is "" for a pattern that takes any: where the place is known, it is a better one than the usual.
    """
    patterns = []
    for cause, (observation, step) in CAUSES.items():
        english = diagnosis(cause, _MARK)
        fixed = re.escape(english.observation).replace(re.escape(f" ({_MARK})"), r"(?P<detail> \(.*?\)|)")
        text = fixed.replace(_MARK, r"(?P<detail>.*?)")
        patterns.append((re.compile(f"{text}: {re.escape(english.next_step)}"), observation, step))
        patterns.append((re.compile(f"{text}: (?P<step>.*)"), observation, ""))
    return sorted(patterns, key=lambda entry: -len(entry[0].pattern))
