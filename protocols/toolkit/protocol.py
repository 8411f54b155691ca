"""The record by which a protocol enters the catalogue: what it is called, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocols.toolkit.errors import Problem
from protocols.toolkit.framing import Frame, Framer
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.polling import Device, LineSettings
from protocols.toolkit.pushing import Listener

Fields = dict[str, Any]
Describe = Callable[[Frame], Fields]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One entry of the catalogue.

    Attributes:
        name: its name in site.toml.
        title: what it is, in a few words.
        spec: the document it follows, with version.
        line: the line settings its specification fixes, or None where the sensor's manual decides.
        framer: makes a framer for both directions of the line, for `decode` and `sniff`.
        describer: makes a function that turns frames of one stream, in order, into fields under the manual's
            names and decoded values. It may remember the request before a reply. The argument is the name of
            a device model, or None.
        schema: JSON Schema of a sensor's own keys in site.toml: {"properties": …, "required": […]}.
        settings: reads a sensor's own keys; raises SettingsError with every mistake.
        device: makes the device that serves the sensors with these settings; they have one address.
            The line settings tell what a request costs. None: its sensors speak unasked.
        listener: makes the listener of a line whose sensors speak unasked. None: its sensors are asked.
        address_of: the address that settings name, to tell which sensors share a device; of a sensor that
            speaks unasked the id its frames carry, or "" if they carry none.
        conflicts: what is wrong with sensors that are right each by itself and share a bus: from the settings
            of all of them, a path and a message for each mistake, the path beginning with the place of the
            sensor to change, from 0.
        odd: what is probably not meant, though allowed, in a sensor's own keys that have no mistake.
        units_of: the keys of the values that a sensor with these settings gives, each with its unit or "".
        reply_timeout_s: from the end of a request to the first octet of its reply, where a site says nothing.
        longest: octets of the longest frame; a framer keeps no more.
        bytesizes: how many data bits its characters may have.
        models: names of the device models that its sensors can name.
        with_models: the same entry, with a site's own models: what each of their files says, by the model's
            name. Raises SettingsError with every mistake, each path beginning with the name. None: no models.
        bus_schema: JSON Schema of the keys that a bus has for it, like `schema`.
        declared_by: the same entry as these keys of a bus make it; raises SettingsError with every mistake.
            Until it was called, such an entry finds and decodes nothing. None: all buses speak it alike.
        with_keys: the same entry, with the keys that decrypt what the sensors of a bus send, by their
            addresses (`address_of`). None: nothing is decrypted.
    """

    name: str
    title: str
    spec: str
    line: LineSettings | None
    framer: Callable[[], Framer]
    describer: Callable[[str | None], Describe]
    schema: Mapping[str, Any]
    settings: Callable[[Mapping[str, Any]], Any]
    device: Callable[[Sequence[Any], LineSettings], Device] | None
    address_of: Callable[[Any], str]
    units_of: Callable[[Any], Mapping[str, str]]
    listener: Callable[[], Listener] | None = None
    conflicts: Callable[[Sequence[Any]], Sequence[Problem]] = lambda _: ()
    odd: Callable[[Mapping[str, Any]], Sequence[Problem]] = lambda _: ()
    reply_timeout_s: float = 0.5
    longest: int = 1024
    bytesizes: frozenset[int] = frozenset({7, 8})
    models: Callable[[], Sequence[str]] = field(default=lambda: ())
    with_models: Callable[[Mapping[str, Mapping[str, Any]]], Protocol] | None = None
    bus_schema: Mapping[str, Any] = field(default_factory=lambda: {"properties": {}, "required": []})
    declared_by: Callable[[Mapping[str, Any]], Protocol] | None = None
    with_keys: Callable[[Mapping[str, MeterKey]], Protocol] | None = None


def without_models(describer: Callable[[], Describe]) -> Callable[[str | None], Describe]:
    """The `describer` of a protocol that has no device models; one that names a model is a KeyError."""

    def make(model: str | None) -> Describe:
        if model is not None:
            raise KeyError(model)
        return describer()

    return make
