"""A mistake found by pydantic, in words for the person who wrote the file: the rule, the value, the fix."""

from __future__ import annotations

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bridge.plain_text import one_line
from protocols.toolkit.keys import shown


def rule(error: ErrorDetails, key: str, field: FieldInfo, *, secret: bool) -> str:
    """Return one mistake in words.

    Args:
        key, field: the field of the table that has it; its examples show what would be right.
        secret: the value must not be shown.
    """
    value = "this" if secret else value_text(error["input"])
    example = f", for example: {key} = {value_text(field.examples[0])}" if field.examples else ""
    match error["type"]:
        case "missing":
            return f"is missing{example}"
        case "value_error":
            return str(error["ctx"]["error"])
        case "string_type" if isinstance(error["input"], int | float) and not secret:
            return f'{value} is not a text, write it in quotes: "{value}"'
        case "string_type":
            return f"{value} is not a text in quotes{example}"
        case "bool_type":
            return f"{value} is neither true nor false, write one of them without quotes"
        case "int_type" | "int_from_float" | "float_type":
            kind = "number" if error["type"] == "float_type" else "whole number"
            return f"{value} is not a {kind}, write it without quotes{_range(field)}{example}"
        case "greater_than_equal" | "less_than_equal" | "finite_number":
            return f"{value} is out of range{_range(field)}"
        case "literal_error":
            choices = str(error["ctx"]["expected"]).replace("'", '"')
            return f"{value} is not known here, use {choices}"
        case _:
            return f"{value} does not belong here{example}"


def value_text(value: object) -> str:
    """Return a value as TOML writes it, shortened, on one line."""
    return one_line(shown(value))


def _range(field: FieldInfo) -> str:
    least, most = (
        next((getattr(note, end) for note in field.metadata if hasattr(note, end)), None)
        for end in ("ge", "le")
    )
    if most is None:
        return "" if least is None else f", use {least} or more"
    return f", use {least}–{most}"
