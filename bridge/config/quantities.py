"""Durations and sizes as people write them: "300ms", "10s", "2h"; "500MB", "1GB".

In a file a number without a unit is refused: ten what? In code, where the name says the unit (`every_s`), the
same fields take plain numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bridge.config.kinds import Context, Kind
from bridge.config.wording import value_text

_AMOUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([A-Za-z]+)")


@dataclass(frozen=True)
class Quantity(Kind):
    """A number with a unit.

    Attributes:
        least, most: the range allowed, in the same form.
    """

    noun: ClassVar[str]
    example: ClassVar[str]
    units: ClassVar[Mapping[str, float]]  # each unit in the field's own, smallest first

    least: str
    most: str

    def read(self, value: object, context: Context | None = None) -> float:
        """Return the amount in the field's own unit (seconds, bytes).

        Raises:
            ValueError: `value` is not a text of a number with a unit, or is out of range.
        """
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(f"{value} has no unit, {self._form}")  # noqa: TRY004 — as for every kind
        if not isinstance(value, str):
            raise ValueError(f"this is not a {self.noun}, {self._form}")  # noqa: TRY004
        amount = self._amount(value)
        if amount is None:
            raise ValueError(f"{value_text(value)} is not a {self.noun}, {self._form}")
        if not (self._amount(self.least) or 0) <= amount <= (self._amount(self.most) or 0):
            raise ValueError(f'{value_text(value)} is out of range, use "{self.least}" to "{self.most}"')
        return amount

    def written(self, value: float) -> str:
        """Return the text that `read` takes for this amount, in the largest unit that leaves it whole."""
        for unit, one in reversed(list(self.units.items())):
            if value >= one and math.isclose(value, round(value / one) * one):
                return f"{value / one:.0f}{unit}"
        return self.least

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what may be written."""
        return {"type": "string", "pattern": self.pattern, "examples": [self.example]}

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

    def read(self, value: object, context: Context | None = None) -> int:
        """Return the size in bytes. Errors as for `Quantity.read`."""
        return round(super().read(value))
