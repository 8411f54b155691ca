"""`python -m tests.models.author NAME …`: what of a model's file follows from its facts, written into it.

The grade of the evidence, the vectors made up from the facts (those with a source of their own stay), the
index of the variants, and the table of docs/models.md. The vectors stand at the end of the file.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bridge.commands.models.documents import ModelRow
from bridge.commands.models.listing import listing
from protocols.modbus import models
from protocols.modbus.models.variants import INDEX, KEY, index_text
from tests.models.facts import derived_grades
from tests.models.vectors import blocks

_FOLDER = models.FOLDER
_PAGE = Path("docs/models.md")
_VECTOR = re.compile(r"^(?=\[\[(?:variant\.[^]]+\.)?vector\]\])", re.MULTILINE)


def main(names: list[str]) -> None:
    """Write what follows from the facts of these models."""
    write_index()
    for name in names:
        path = _FOLDER / f"{models.file_of(name)}.toml"
        head, *vectors = _VECTOR.split(path.read_text("utf-8"))
        own = f"[[variant.{name}.vector]]" if path.stem != name else "[[vector]]"
        kept = [text for text in vectors if not text.startswith(own) or "\nsource = " in text]
        path.write_text("\n".join(text.strip() + "\n" for text in (head, *kept, *blocks(name))), "utf-8")
        models.load.cache_clear()
        if path.stem == name:
            path.write_text(_with_grades(path.read_text("utf-8"), derived_grades(models.load(name))), "utf-8")
        else:
            print(f"{name}:\n{_grade_lines(derived_grades(models.load(name)))}")
        models.load.cache_clear()
    text = _PAGE.read_text("utf-8")
    begin = text.index("| model | what |")
    _PAGE.write_text(text[:begin] + models_table(listing()) + text[text.index("\n\n", begin) :], "utf-8")


def models_table(rows: Sequence[ModelRow]) -> str:
    """Return the listing as the table of docs/models.md."""
    lines = [
        "| model | what | kind | registers | line as delivered | evidence |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row['name']}` | {row['title']} | {row['kind']} | {row['registers']} | "
        f"{row['line'] or 'see manual'} | {row['grade']} |"
        for row in sorted(rows, key=lambda row: (row["kind"], row["name"]))
    ]
    return "\n".join(lines)


def write_index() -> None:
    """Write the index of the variants."""
    tables = {name: models.table_of(name) for name in models.file_names()}
    text = index_text({name: table for name, table in tables.items() if KEY in table})
    (_FOLDER / INDEX).write_text(text, "utf-8")
    models.forget()


def _with_grades(text: str, grades: dict[str, str]) -> str:
    """Return the text of a model file with these grades of its registers; those of its tables stay."""
    head, tables = re.split(r"^(?=\[)", text, maxsplit=1, flags=re.MULTILINE)
    head = re.sub(r"^(evidence|graded) = .*\n", "", head, flags=re.MULTILINE)
    head = re.sub(
        r"^(kind = .*\n)", lambda match: match[1] + _grade_lines(grades), head, count=1, flags=re.MULTILINE
    )
    return head + tables


def _grade_lines(grades: dict[str, str]) -> str:
    """Return the keys of a model file for these grades: the commonest, then the others by their letters."""
    ((usual, _),) = Counter(grades.values()).most_common(1)
    others = sorted({*grades.values()} - {usual})
    lists = {letter: [key for key, grade in grades.items() if grade == letter] for letter in others}
    pairs = ", ".join(f"{letter} = {json.dumps(keys)}" for letter, keys in lists.items())
    return f'evidence = "{usual}"\n' + (f"graded = {{ {pairs} }}\n" if pairs else "")


if __name__ == "__main__":
    main(sys.argv[1:])
