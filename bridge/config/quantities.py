"""Durations and sizes as people write them: "300ms", "10s", "2h"; "500MB", "1GB".

In a file a number without a unit is refused: ten what? In code, where the name says the unit (`every_s`), the
same fields take plain numbers. The `FileContext` of a validation tells the two apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from bridge.config.wording import value_text

_AMOUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class FileContext:
    """Context of validating the contents of a file.

    Attributes:
        folder: the file's folder, where its relative paths begin.
    """

    folder: Path


@dataclass(frozen=True)
class Quantity:
    """Annotation of a pydantic field that is written as a number with a unit.

    Attributes:
        least, most: the range allowed, in the same form.
    """

    noun: ClassVar[str]
    example: ClassVar[str]
    units: ClassVar[Mapping[str, float]]  # each unit in the field's own, smallest first

    least: str
    most: str

    def read(self, text: str) -> float:
        """Return the amount in the field's own unit (seconds, bytes).

        Raises:
            ValueError: `text` is not a number with a unit, or is out of range.
        """
        amount = self._amount(text)
        if amount is None:
            raise ValueError(f"{value_text(text)} is not a {self.noun}, {self._form}")
        if not (self._amount(self.least) or 0) <= amount <= (self._amount(self.most) or 0):
            raise ValueError(f'{value_text(text)} is out of range, use "{self.least}" to "{self.most}"')
        return amount

    def write(self, amount: float) -> str:
        """Return the text that `read` takes for this amount, in the largest unit that leaves it whole."""
        for unit, one in reversed(list(self.units.items())):
            if amount >= one and math.isclose(amount, round(amount / one) * one):
                return f"{amount / one:.0f}{unit}"
        return self.least

    @property
    def pattern(self) -> str:
        """Return the form as a regular expression, for editors."""
        return rf"^[0-9]+(\.[0-9]+)?\s*({'|'.join(self.units)})$"

    @property
    def _form(self) -> str:
        return f'write a number and one of {", ".join(self.units)}, for example "{self.example}"'

    def _amount(self, text: str) -> float | None:
        match = _AMOUNT.fullmatch(text.strip())
        ones = {unit.lower(): one for unit, one in self.units.items()}
        return float(match[1]) * ones[match[2].lower()] if match and match[2].lower() in ones else None

    def _validate(self, value: object, info: ValidationInfo) -> object:
        if not isinstance(info.context, FileContext):
            return value
        if isinstance(value, str):
            return self.read(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(f"{value} has no unit, {self._form}")  # noqa: TRY004 — what pydantic collects
        raise ValueError(f"this is not a {self.noun}, {self._form}")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": self.pattern, "examples": [self.example]}


class Duration(Quantity):
    """A duration, in seconds."""

    noun = "duration"
    example = "10s"
    units: ClassVar[Mapping[str, float]] = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class Size(Quantity):
    """A size, in whole bytes."""

    noun = "size"
    example = "1GB"
    units: ClassVar[Mapping[str, float]] = {
        "kB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2,
        "GB": 1000**3, "GiB": 1024**3, "TB": 1000**4, "TiB": 1024**4,
    }  # fmt: skip

    def read(self, text: str) -> int:
        """Return the size in bytes. Errors as for `Quantity.read`."""
        return round(super().read(text))
