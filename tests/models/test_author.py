"""What the author's tool writes into a model file, and what it leaves alone."""

from __future__ import annotations

from tests.models.author import _with_grades

FILE = """title = "Acme EM1"
kind = "energy meter"

[serial]
line = "9600 8N1"
evidence = "B"

[registers]
voltage = { input = 0 }
"""


def test_the_grades_stand_behind_the_kind_and_that_of_the_line_stays() -> None:
    once = _with_grades(FILE, {"voltage": "C", "current": "C", "energy": "D"})
    assert once.splitlines()[1:4] == [
        'kind = "energy meter"',
        'evidence = "C"',
        'graded = { D = ["energy"] }',
    ]
    assert once.endswith(FILE[FILE.index("\n[serial]") :])
    again = _with_grades(once, {"voltage": "B"})
    assert again == FILE.replace('meter"\n', 'meter"\nevidence = "B"\n')
