"""The models of one family in one file.

    title = "Janitza UMG 96"
    [registers] …
    [variant.janitza-umg96rm]
    title = "Janitza UMG 96RM"
    without = ["frequency"]             registers that this one has not
    [variant.janitza-umg96rm.registers] registers that it has besides, or otherwise

A variant is named by the key of its table, and has everything else from the file, but for the keys that it
has itself. Its vectors are its own. A file with variants is no model itself. `variants.txt` says in which
file each variant stands, so that nothing is parsed to learn the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from protocols.toolkit.errors import Problem, SettingsError
from protocols.toolkit.keys import shown

KEY: Final = "variant"
INDEX: Final = "variants.txt"
_MERGED: Final = ("registers", "limits", "serial", "fingerprint")


def variant_of(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the content of a file as it is for one of its variants.

    Args:
        table: the content of the file.
        name: the name of the variant.

    Raises:
        SettingsError: the variant leaves out a register that the family does not have.
    """
    own = dict(table[KEY][name])
    without = own.pop("without", [])
    family = {key: value for key, value in table.items() if key not in (KEY, "vector")}
    registers = dict(family.get("registers", {}))
    problems: list[Problem] = []
    for register in without:
        if registers.pop(register, None) is None:
            message = f"{shown(register)} is not a register of this family"
            problems.append(((KEY, name, "without"), message))
    if problems:
        raise SettingsError(problems)
    graded = {
        letter: [register for register in names if register not in without]
        for letter, names in family.get("graded", {}).items()
    }
    merged = {**family, **({"graded": graded} if graded else {}), "registers": registers, **own}
    for key in _MERGED:
        base = registers if key == "registers" else family.get(key, {})
        if key in own and isinstance(own[key], Mapping):
            merged[key] = {**base, **own[key]}
    return merged


def index_text(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of the index: a line "VARIANT FILE" for each variant of these files, sorted."""
    pairs = sorted((name, file) for file, table in tables.items() for name in table.get(KEY, {}))
    return "".join(f"{name} {file}\n" for name, file in pairs)


def parse_index(text: str) -> dict[str, str]:
    """Return the files of the variants, by the variants' names."""
    return dict(line.split() for line in text.splitlines())
