"""The documents of `models --json` and `models NAME --json`, key by key."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from protocols.toolkit.polling import Values


class ModelOrigin(TypedDict):
    """A model, and where it comes from."""

    name: str
    title: str
    file: str | None  # of a model of the site's own
    replaces_shipped: bool
    kind: str  # "energy meter" and the like; "" if that is not said
    line: str | None  # as the device is delivered: "9600 8N1"
    grade: str  # of its evidence, A to D


class ModelRow(ModelOrigin):
    """A row of `models --json`."""

    registers: int
    vectors: int


class SourceRow(TypedDict):
    """Where numbers of a model are from; a text is empty where it is not known."""

    title: str
    kind: str  # maker, public or exchange
    version: str
    page: str


class RegisterRow(TypedDict):
    """A register of a model; a key is missing where it changes nothing."""

    name: str
    grade: str
    table: str
    address: int  # of the PDU, from 0
    type: str
    unit: str
    scale: NotRequired[str]
    encoding: NotRequired[str]
    order: NotRequired[str]
    multiply: NotRequired[float]
    divide: NotRequired[float]
    offset: NotRequired[float]
    bit: NotRequired[int | None]
    mask: NotRequired[int | None]
    min: NotRequired[float | None]
    max: NotRequired[float | None]
    enum: NotRequired[dict[int, str]]
    invalid: NotRequired[list[float]]


class VectorResult(TypedDict):
    """An exchange with a device, replayed with the model."""

    source: str | None  # of a real exchange
    facts: str | None  # the source whose facts the frames were made up from
    request: str  # hex
    reply: str  # hex
    values: Values  # as its source states them
    differences: list[str]  # a sentence for each value that the model reads otherwise


class ModelDescription(ModelOrigin):
    """The document of `models NAME --json`."""

    sources: list[SourceRow]
    line_grade: str
    note: str
    limits: list[str]
    registers: list[RegisterRow]
    vectors: list[VectorResult]
